import { Cache } from 'drizzle-orm/cache/core'
import { getTableConfig, withReplicas } from 'drizzle-orm/mysql-core'
import { drizzle } from 'drizzle-orm/mysql2'
import { migrate } from 'drizzle-orm/mysql2/migrator'
import type { Pool } from 'mysql2/promise'
import t, { type Test } from 'tap'
import { counters, challenges, drizzleStorage, migrations, sessions } from '../../src/storage/drizzle/mysql/adapter.ts'
import { skipWithout } from '../helpers/requirements.ts'
import { createDatabase, attempt, newChallenge, newSession, withSetup } from '../helpers/databases/mysql.ts'

const skip = skipWithout('TEST_MYSQL_URL')

async function open (t: Test) {
  const database = await createDatabase()
  t.teardown(database.close)
  const pool = database.pool()
  return { database, pool, storage: drizzleStorage(drizzle(pool)) }
}

/** A pool that runs `act` just before the first statements that match the pattern. */
function before (pool: Pool, pattern: RegExp, act: () => Promise<unknown>, times = 1): Pool {
  return new Proxy(pool, {
    get (target, name, receiver) {
      if (name !== 'query') return Reflect.get(target, name, receiver)
      return async (query: { sql: string }, values: unknown[]) => {
        if (times > 0 && pattern.test(query.sql)) {
          times--
          await act()
        }
        return await target.query(query, values)
      }
    }
  })
}

t.test('the migrations have their own table, can run again and create every index', { skip }, async (t) => {
  const { pool } = await open(t)
  await migrate(drizzle(pool), migrations)
  const [rows] = await pool.query<any>('select * from __otp_auth_migrations')
  t.equal(rows.length, 1)
  for (const table of [challenges, counters, sessions]) {
    const { name, indexes } = getTableConfig(table)
    const [made] = await pool.query<any>('show index from ??', [name])
    t.strictSame(
      made.map((index: { Key_name: string }) => index.Key_name).sort(),
      ['PRIMARY', ...indexes.map((index) => index.config.name)].sort()
    )
  }
})

t.test('a statement that always ends in a deadlock is repeated 10 times, and then the call rejects', { skip }, async (t) => {
  const { pool } = await open(t)
  let runs = 0
  const storage = drizzleStorage(drizzle(before(pool, /^insert into/, async () => {
    runs++
    throw Object.assign(new Error('deadlock'), { errno: 1213, sqlState: '40001' })
  }, Infinity)))
  await t.rejects(storage.insertSession(newSession()), /Failed query/)
  t.equal(runs, 11)
})

t.test('a rollback by the application does not undo a count', { skip }, async (t) => {
  const { pool, storage } = await open(t)
  const db = drizzle(pool)
  const challenge = newChallenge()
  await storage.insertChallenge(challenge)
  await t.rejects(db.transaction(async (tx) => {
    await tx.execute('select 1')
    t.match(await storage.tryCode(attempt({ ...challenge, codeMac: 'wrong' })), { attempts: 1 })
    await storage.countFailure({ key: 'k', now: 1, window: 1, lapse: 1 })
    throw new Error('rolled back')
  }), /rolled back/)
  t.match(await storage.findChallenge(challenge.id), { attempts: 1 })
  t.match(await storage.readCounter('k'), { consecutiveFailures: 1 })
})

t.test('a single connection works, but not inside a transaction', { skip }, async (t) => {
  const { database, storage: observer } = await open(t)
  const connection = await database.pool({ connectionLimit: 1 }).getConnection()
  t.teardown(() => connection.release())
  const storage = drizzleStorage(drizzle(connection))
  const challenge = newChallenge()
  await storage.insertChallenge(challenge)
  t.match(await storage.findChallenge(challenge.id), { attempts: 0 })

  await connection.query('begin')
  await t.rejects(storage.tryCode(attempt(challenge)), /inside a transaction/)
  await t.rejects(storage.countFailure({ key: 'k', now: 1, window: 1, lapse: 1 }), /inside a transaction/)
  await t.rejects(storage.findChallenge(challenge.id), /inside a transaction/, 'its snapshot can be older than a logout')
  await connection.query('rollback')
  t.match(await storage.tryCode(attempt(challenge)), { accepted: true, attempts: 1 })
  t.equal(await observer.readCounter('k'), null)
})

t.test('calls on a pool with autocommit off reject', { skip }, async (t) => {
  const { database } = await open(t)
  const storage = drizzleStorage(drizzle(withSetup(database.pool(), 'set autocommit = 0')))
  await t.rejects(storage.insertChallenge(newChallenge()), /autocommit is off/)
})

t.test('a timeout outside its range is refused', { skip }, async (t) => {
  const { database } = await open(t)
  const db = drizzle(database.pool())
  for (const timeout of [0, -1, NaN, 2 ** 31, '5000' as never]) {
    t.throws(() => drizzleStorage(db, { timeout }), { name: 'RangeError', message: /^timeout must be a number of milliseconds from 1 to 2147483647\. Got / })
  }
})

t.test('if all connections of the pool are in use, calls reject in bounded time, and one of them can still take effect', { skip }, async (t) => {
  const { database, storage: observer } = await open(t)
  const pool = database.pool({ connectionLimit: 1 })
  const storage = drizzleStorage(drizzle(pool), { timeout: 200 })
  const taken = await pool.getConnection()
  const started = Date.now()
  const late = /MySQL did not respond within 200 ms/
  await Promise.all([
    t.rejects(storage.insertSession(newSession()), late),
    t.rejects(storage.loadSession({ sessionId: 's', userId: 'u' }), late),
    t.rejects(storage.countFailure({ key: 'k', now: 1, window: 1, lapse: 1 }), late)
  ])
  t.ok(Date.now() - started < 2000)
  taken.release()
  t.equal(await storage.findUser('nobody@host.io'), null, 'the pool works again')
  t.equal((await observer.listSessions({ userId: 'nobody', now: 1 })).length, 1, 'the statement that was waiting has run')
  t.equal(await observer.readCounter('k'), null, 'no other statement has run')
})

/** Resolves once another transaction has locked the session. `nowait` makes the server refuse at once. */
async function locked (pool: Pool, id: string): Promise<void> {
  const isFree = () => pool.query('select id from otp_sessions where id = ? for update nowait', [id]).then(() => true, ({ errno }) => {
    // MySQL has an error of its own for it. MariaDB says that the wait for the lock took too long.
    if (errno === 3572 || errno === 1205) return false
    throw new Error(`unexpected error ${errno}`)
  })
  while (await isFree());
}

t.test('a statement that a deadlock rolled back is repeated', { skip }, async (t) => {
  const { pool, storage } = await open(t)
  for (const id of ['a', 'b']) await storage.insertSession(newSession({ id }))
  let runs = 0
  const counting = new Proxy(pool, {
    get (target, name, receiver) {
      if (name === 'query') runs++
      return Reflect.get(target, name, receiver)
    }
  })
  const application = await pool.getConnection()
  await application.query('begin')
  // The server rolls back the transaction that changed fewer rows.
  for (let n = 0; n < 50; n++) await application.query('insert into otp_users (id, email) values (?, ?)', [n, n])
  await application.query("update otp_sessions set seq = seq + 1 where id = 'b'")
  const revoked = drizzleStorage(drizzle(counting)).revokeUserSessions({ userId: 'nobody', startedBefore: Date.now() + 1000, now: 5 })
  await locked(pool, 'a') // our statement has locked a, and waits for b
  await application.query("update otp_sessions set seq = seq + 1 where id = 'a'")
  await application.query('commit')
  application.release()
  t.equal(await revoked, 2)
  t.equal(runs, 2)
})

t.test('a statement that may have taken effect is never repeated', { skip }, async (t) => {
  const { database, pool } = await open(t)
  let statements = 0
  const failing = new Proxy(database.pool(), {
    get: (target, name, receiver) => name === 'query'
      ? async () => {
        statements++
        throw Object.assign(new Error('gone'), { errno: 2013, code: 'PROTOCOL_CONNECTION_LOST' })
      }
      : Reflect.get(target, name, receiver)
  })
  const storage = drizzleStorage(drizzle(failing))
  await t.rejects(storage.incrementCounter({ key: 'k', now: 1, cooldown: 0, short: { length: 1, limit: 1 }, long: { length: 1, limit: 1 } }))
  t.equal(statements, 1)
  await t.rejects(storage.insertUser({ email: 'ann@host.io', fields: {} }), 'the insert rejects and is not refused')
  // If the table is dropped between the update and the insert, the error is not a duplicate key either.
  const vanishing = drizzleStorage(drizzle(before(pool, /^insert into `otp_counters`/, async () => await pool.query('drop table otp_counters'))))
  await t.rejects(vanishing.countFailure({ key: 'k', now: 1, window: 1, lapse: 1 }))
})

t.test('an attempt counts for the current device of the challenge, even if a renewal has just changed it', { skip }, async (t) => {
  const { pool, storage } = await open(t)
  const challenge = newChallenge({ deviceKey: 'one' })
  await storage.insertChallenge(challenge)
  const renew = async (deviceKey: string | null) => await storage.renewChallenge({ ...challenge, codeMac: 'newer', deviceKey, now: Date.now() })
  const racing = drizzleStorage(drizzle(before(pool, /^update `otp_challenges`/, async () => await renew(null))))
  t.same(await racing.tryCode(attempt({ ...challenge, codeMac: 'wrong' })), { accepted: false, attempts: 1, deviceKey: null })
  t.match(await storage.findChallenge(challenge.id), { attempts: 1 }, 'one attempt was counted')
  const ending = drizzleStorage(drizzle(before(pool, /^update `otp_challenges`/, async () =>
    await storage.removeExpired({ kind: 'challenges', before: Number.MAX_SAFE_INTEGER, limit: 10 }))))
  t.equal(await ending.tryCode(attempt(challenge)), null, 'the challenge was removed in between')
})

t.test('a code that two challenges share can be used once', { skip }, async (t) => {
  const { pool, storage } = await open(t)
  for (const deviceKey of ['one', 'two']) await storage.insertChallenge(newChallenge({ deviceKey }))
  const shared = attempt({ emailHash: 'emailHash', codeMac: 'mac' })
  const racing = drizzleStorage(drizzle(before(pool, /^update `otp_challenges`/, async () => t.ok(await storage.consumeCode(shared)))))
  t.equal(await racing.consumeCode(shared), null)
  t.equal(await storage.consumeCode(shared), null)
})

t.test('two calls that create the same counter at the same time are both counted', { skip }, async (t) => {
  const { pool, storage } = await open(t)
  const failure = { key: 'f', now: 1, window: 1, lapse: 1 }
  const window = { length: 1000, limit: 1 }
  const increment = { key: 'b', now: 1, cooldown: 0, short: window, long: window }
  const first = (act: () => Promise<unknown>) => drizzleStorage(drizzle(before(pool, /^insert into `otp_counters`/, act)))
  t.same(await first(() => storage.countFailure(failure)).countFailure(failure), { inWindow: 2, consecutive: 2 }, 'no failure is lost')
  t.equal(await first(() => storage.incrementCounter(increment)).incrementCounter(increment), false)
})

t.test('reads go to the primary', { skip }, async (t) => {
  const { pool } = await open(t)
  const storage = drizzleStorage(withReplicas(drizzle(pool), [drizzle(pool)], () => { throw new Error('a replica was asked') }))
  const session = newSession()
  await storage.insertSession(session)
  t.same(await storage.listSessions({ userId: session.userId, now: Date.now() }), [session])
})

t.test('our queries never use a Drizzle cache of the application', { skip }, async (t) => {
  class EverythingCache extends Cache {
    override strategy () { return 'all' as const }
    override async get (): Promise<any[]> { return t.fail('the cache was asked') as never }
    override async put () { t.fail('the cache was filled') }
    override async onMutate () {}
  }
  const { pool } = await open(t)
  const storage = drizzleStorage(drizzle(pool, { cache: new EverythingCache() }))
  const made = await storage.insertUser({ email: 'ann@host.io', fields: {} })
  if (!('user' in made)) return t.fail('the user was not created', made)
  const session = newSession({ userId: made.user.id })
  const challenge = newChallenge()
  await storage.insertSession(session)
  await storage.insertChallenge(challenge)
  t.ok(await storage.loadSession({ sessionId: session.id, userId: made.user.id }))
  t.ok(await storage.hasLiveChallenge({ emailHash: 'emailHash', codeLength: 6, maxAttempts: 5, now: 1 }))
  t.ok(await storage.findChallenge(challenge.id))
  t.match(await storage.tryCode(attempt({ ...challenge, codeMac: 'wrong' })), { attempts: 1 })
  t.ok(await storage.consumeCode(attempt(challenge)))
  t.equal(await storage.readCounter('k'), null)
  t.equal((await storage.listSessions({ userId: made.user.id, now: 1 })).length, 1)
  t.equal(await storage.hasMixedCaseEmails(1), false)
})
