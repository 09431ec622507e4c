import { Cache, type MutationOption } from 'drizzle-orm/cache/core'
import { sql } from 'drizzle-orm'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { boolean, getTableConfig, pgTable, text, withReplicas } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePGlite, type PgliteDatabase } from 'drizzle-orm/pglite'
import pg from 'pg'
import type { Test } from 'tap'
import { counters, challenges, drizzleStorage, sessions, users } from '../../../src/storage/drizzle/pg/adapter.ts'
import type { PostgresHandle, ServerDriver, startPGlite, TestPostgres } from '../databases/pg.ts'

const failure = { key: 'failures', now: 1_700_000_000_000, window: 1000, lapse: 1000 }

const empty = (db: PostgresHandle) => db.execute(sql`truncate otp_users, otp_counters, otp_sessions`)

/** A cache for every query, which records its calls. */
class EagerCache extends Cache {
  asked: string[] = []
  changed: unknown[] = []
  override strategy () { return 'all' as const }
  override async get (key: string) {
    this.asked.push(key)
    return undefined
  }

  override async put () {}
  override async onMutate ({ tables }: MutationOption) { this.changed.push(tables) }
}

/** Cases about the handle that the application passes. They need no real server. */
export function handleCases (t: Test, { client, handles: [db] }: Awaited<ReturnType<typeof startPGlite>>) {
  t.test('inside a transaction of the application, calls on PGlite reject in bounded time', async (t) => {
    await empty(db)
    const storage = drizzleStorage(db, { timeout: 100 })
    await t.rejects(db.transaction(async (tx) => {
      await tx.insert(users).values({ email: 'mike@x.io' })
      await t.rejects(storage.findUser('mike@x.io'), { message: /did not respond within 100 ms/ })
      await t.rejects(storage.countFailure(failure), { message: /transaction of your application/ })
      tx.rollback()
    }), 'the application rolls back')
    const patient = drizzleStorage(db)
    t.equal(await patient.findUser('mike@x.io'), null)
    t.match(await patient.readCounter(failure.key), { longCount: 1, consecutiveFailures: 1 }, 'the call that was given up is counted later')
  })

  t.test('reads go to the primary', async (t) => {
    await empty(db)
    const lagging = drizzlePGlite.mock() as unknown as PgliteDatabase
    const replicated = withReplicas(db as PgliteDatabase, [lagging])
    await t.rejects(async () => replicated.select().from(users))
    const storage = drizzleStorage(replicated)
    await storage.insertUser({ email: 'mike@x.io', fields: {} })
    t.match(await storage.findUser('mike@x.io'), { email: 'mike@x.io' })
    t.equal(await storage.loadSession({ sessionId: 'none', userId: 'none' }), null)
    t.same(await storage.listSessions({ userId: 'none', now: 0 }), [])
  })

  t.test('our reads never use a cache', async (t) => {
    await empty(db)
    const cache = new EagerCache()
    const cached = drizzlePGlite({ client, cache })
    t.same(await cached.select().from(users), [])
    t.equal(cache.asked.length, 1)

    const storage = drizzleStorage(cached)
    await storage.insertUser({ email: 'Mike@x.io', fields: {} })
    await storage.countFailure(failure)
    t.match(await storage.findUser('Mike@x.io'), { email: 'Mike@x.io' })
    t.match(await storage.readCounter(failure.key), { consecutiveFailures: 1 })
    t.equal(await storage.hasMixedCaseEmails(10), true)
    await storage.findChallenge('none')
    await storage.hasLiveChallenge({ emailHash: 'none', codeLength: 6, maxAttempts: 5, now: 0 })
    await storage.loadSession({ sessionId: 'none', userId: 'none' })
    await storage.listSessions({ userId: 'none', now: 0 })
    t.equal(cache.asked.length, 1)
    t.same(cache.changed, [['otp_users'], ['otp_counters']], 'the cache of the application is told about our writes')
  })

  t.test('with prepare: false, statements work the same', async (t) => {
    await empty(db)
    const storage = drizzleStorage(db, { prepare: false })
    t.same(await storage.countFailure(failure), { inWindow: 1, consecutive: 1 })
    t.match(await storage.readCounter(failure.key), { consecutiveFailures: 1 })
  })

  t.test('the shipped migrations create the columns and indexes of the schema', async (t) => {
    for (const table of [users, challenges, counters, sessions]) {
      const { name, columns, indexes } = getTableConfig(table)
      const made = await db.select({ name: sql<string>`column_name` }).from(sql`information_schema.columns`)
        .where(sql`table_name = ${name}`)
      t.same(made.map((column) => column.name).sort(), columns.map((column) => column.name).sort(), name)
      const indexed = await db.select({ name: sql<string>`indexname` }).from(sql`pg_indexes`).where(sql`tablename = ${name}`)
      for (const index of indexes) t.ok(indexed.some((each) => each.name === index.config.name), index.config.name!)
    }
  })

  t.test('a single client is refused, because our statements would run in its transactions', async (t) => {
    t.throws(() => drizzleStorage(drizzlePg({ client: new pg.Client() })), { name: 'TypeError', message: /pg\.Pool/ })
  })

  t.test('a timeout outside its range is refused', async (t) => {
    for (const timeout of [0, -1, NaN, Infinity, 2 ** 31]) {
      t.throws(() => drizzleStorage(db, { timeout }), { name: 'RangeError', message: /timeout/ })
    }
  })
}

/** Cases that need a real server with several connections. */
export function serverCases (t: Test, { handles: [db] }: TestPostgres, driver: ServerDriver) {
  t.test('a rollback by the application does not undo a count', async (t) => {
    await empty(db)
    const storage = drizzleStorage(db)
    await t.rejects(db.transaction(async (tx) => {
      await tx.insert(users).values({ email: 'mike@x.io' })
      t.same(await storage.countFailure(failure), { inWindow: 1, consecutive: 1 })
      tx.rollback()
    }), 'the application rolls back')
    t.equal(await storage.findUser('mike@x.io'), null)
    t.match(await storage.readCounter(failure.key), { longCount: 1, consecutiveFailures: 1 })
  })

  t.test('if all connections are in use, calls reject in bounded time', async (t) => {
    const { db: narrow, take, end } = driver.single()
    t.teardown(end)
    const release = await take()
    const users = usersIn('pg_class')
    await t.rejects(drizzleStorage(narrow, { users, timeout: 100 }).findUser('any'), { message: /did not respond within 100 ms/ })
    release()
    await t.rejects(drizzleStorage(narrow, { users }).findUser('any'), { cause: { code: '42703' } }, 'the next call reaches the server')
  })

  t.test('storages that share a connection use different statement names', async (t) => {
    const { db: narrow, end } = driver.single()
    t.teardown(end)
    for (const name of ['ours', 'theirs']) {
      await narrow.execute(sql.raw(`create temporary table ${name} (id text primary key, email text not null unique, is_verified boolean not null)`))
      await narrow.execute(sql.raw(`insert into ${name} values ('${name}', 'mike@x.io', true)`))
    }
    const storages = ['ours', 'theirs', 'ours'].map((name) => drizzleStorage(narrow, { users: usersIn(name) }))
    for (const round of [1, 2]) {
      t.same(await Promise.all(storages.map(async (storage) => (await storage.findUser('mike@x.io'))!.id)), ['ours', 'theirs', 'ours'], `round ${round}`)
    }
  })

  t.test('the server keeps statements prepared, unless prepare is false', async (t) => {
    for (const prepare of [true, false]) {
      const { db: narrow, end } = driver.single()
      await narrow.execute(sql`create temporary table ours (id text primary key, email text not null unique, is_verified boolean not null)`)
      const storage = drizzleStorage(narrow, { prepare, users: usersIn('ours') })
      await storage.findUser('mike@x.io')
      await storage.findUser('mike@x.io')
      const kept = narrow.select({ name: sql<string>`name` }).from(sql`pg_prepared_statements`).where(sql`statement like '%from "ours"%'`)
      t.equal((await kept).length, prepare ? 1 : 0)
      await end()
    }
  })

  t.test('a column with a loose collation does not return another user', async (t) => {
    await db.execute(sql`create collation loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
    await db.execute(sql`create table loose_users (id text primary key, email text collate loose not null unique, is_verified boolean not null)`)
    await db.execute(sql`insert into loose_users values ('1', 'miké@x.io', false)`)
    const storage = drizzleStorage(db, { users: usersIn('loose_users') })
    t.equal((await db.execute(sql`select from loose_users where email = 'Mike@x.io'`) as { rowCount?: number, count?: number })[
      driver.name === 'postgres.js' ? 'count' : 'rowCount'], 1, 'the column treats both as equal')
    t.equal(await storage.findUser('mike@x.io'), null)
    t.equal(await storage.verifyUser('mike@x.io'), null)
    t.match(await storage.insertUser({ email: 'mike@x.io', fields: {} }), { refused: { code: '23505' } })
    t.match(await storage.verifyUser('miké@x.io'), { id: '1', email: 'miké@x.io' })
  })
}

function usersIn (table: string) {
  return pgTable(table, { id: text().primaryKey(), email: text().notNull(), isVerified: boolean('is_verified').notNull() })
}
