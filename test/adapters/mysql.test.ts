import { eq } from 'drizzle-orm'
import { bigint, boolean, char, customType, mysqlTable, serial, varchar } from 'drizzle-orm/mysql-core'
import { drizzle } from 'drizzle-orm/mysql2'
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { counters, challenges, drizzleStorage, sessions, users, type UsersTable } from '../../src/storage/drizzle/mysql/adapter.ts'
import { skipWithout } from '../helpers/requirements.ts'
import { createDatabase, attempt, newChallenge, newSession, withSetup } from '../helpers/databases/mysql.ts'

const skip = skipWithout('TEST_MYSQL_URL')

async function open (t: Test) {
  const database = await createDatabase()
  t.teardown(database.close)
  const pool = database.pool()
  return { database, pool, storage: drizzleStorage(drizzle(pool)) }
}

t.test('MySQL and MariaDB keep the storage contract', { skip }, async (t) => {
  const { database, pool } = await open(t)
  const [[server]] = await pool.query<any>('select version() as version')
  // Settings of pools and servers that applications use. They must make no difference.
  const setup = server.version.includes('MariaDB')
    ? "set session sql_mode = concat(@@sql_mode, ',ansi,simultaneous_assignment'), innodb_snapshot_isolation = on"
    : "set session sql_mode = concat(@@sql_mode, ',ansi')"
  const pools = [
    pool,
    database.pool({ supportBigNumbers: true, bigNumberStrings: true, decimalNumbers: true }),
    database.pool({ flags: ['-FOUND_ROWS'] }),
    withSetup(database.pool(), setup)
  ]
  storageConformance({
    test: (name, run) => { t.test(name, run) },
    // The database is emptied for each case, because to create it again would take most of the time.
    async open () {
      const db = drizzle(pool)
      for (const table of [users, challenges, counters, sessions]) await db.delete(table)
      return {
        storages: pools.map((each) => drizzleStorage(drizzle(each))),
        async insertUserRow (user) {
          const [made] = await db.insert(users).values(user).$returningId()
          return made!.id
        },
        async close () {}
      }
    }
  })
})

const uuidBytes = customType<{ data: string, driverData: Buffer }>({
  dataType: () => 'binary(16)',
  toDriver: (text) => Buffer.from(text.replaceAll('-', ''), 'hex'),
  fromDriver: (bytes) => bytes.toString('hex')
})
const applicationColumns = {
  email: varchar('mail', { length: 200 }).notNull().unique(),
  isVerified: boolean('confirmed').notNull().default(false),
  username: varchar({ length: 20 }).notNull().unique(),
  plan: varchar({ length: 5 })
}
const applicationTables = {
  serial: { ddl: 'serial primary key', table: mysqlTable('members', { id: serial().primaryKey(), ...applicationColumns }) },
  bigint: {
    ddl: 'bigint auto_increment primary key',
    table: mysqlTable('members', { id: bigint({ mode: 'bigint' }).autoincrement().primaryKey(), ...applicationColumns })
  },
  'char(36)': { ddl: 'char(36) primary key', table: mysqlTable('members', { id: char({ length: 36 }).primaryKey(), ...applicationColumns }) },
  'binary(16)': {
    ddl: 'binary(16) primary key',
    table: mysqlTable('members', { id: uuidBytes().primaryKey().$defaultFn(() => randomUUID()), ...applicationColumns })
  }
} satisfies Record<string, { ddl: string, table: UsersTable }>

for (const [type, { ddl, table }] of Object.entries(applicationTables)) {
  t.test(`a users table of the application with ${type} IDs works`, { skip }, async (t) => {
    const { pool } = await open(t)
    await pool.query(`create table members (id ${ddl}, mail varchar(200) not null unique, confirmed boolean not null default false,
      username varchar(20) not null unique, plan varchar(5) default 'free', check (username <> 'root'))`)
    const storage = drizzleStorage(drizzle(pool), { users: table })

    const made = await storage.insertUser({ email: 'ann@host.io', fields: { username: 'ann' } })
    if (!('user' in made)) return t.fail('the user was not created', made)
    t.match(made.user, { email: 'ann@host.io', isVerified: false, row: { username: 'ann', plan: 'free' } })
    t.equal(storage.userId(made.user.row), made.user.id)
    t.same(await storage.findUser('ann@host.io'), made.user)

    const session = newSession({ userId: made.user.id })
    await storage.insertSession(session)
    t.same(await storage.loadSession({ sessionId: session.id, userId: made.user.id }), { session, user: made.user })
    t.equal(await storage.loadSession({ sessionId: session.id, userId: 'x'.repeat(40) }), null, 'not an ID of this type')

    // If the second unique column conflicts at the first login, no row is changed and no other user is returned.
    const collision = await storage.insertUser({ email: 'eve@host.io', fields: { username: 'ann', plan: 'gold' } })
    t.match(collision, { refused: { errno: 1062 } })
    t.same(await storage.findUser('ann@host.io'), made.user)
    t.equal(await storage.findUser('eve@host.io'), null)
  })
}

t.test('an insert that a column or constraint of the application rejects is refused; any other failure rejects', { skip }, async (t) => {
  const { pool } = await open(t)
  await pool.query(`create table members (id char(36) primary key, mail varchar(200) not null unique, confirmed boolean not null,
    username varchar(20) not null unique, plan varchar(5),
    check (username <> 'root'))`)
  const { table } = applicationTables['char(36)']
  const storage = drizzleStorage(drizzle(pool), { users: table })
  const insert = async (fields: Record<string, unknown>) => await storage.insertUser({ email: `${randomUUID()}@host.io`, fields })

  t.match(await insert({}), { refused: Error }, 'a column without a default')
  t.match(await insert({ username: null }), { refused: { errno: 1048 } })
  t.match(await insert({ username: 'root' }), { refused: { errno: /^(4025|3819)$/ } }, 'a check')
  t.match(await insert({ username: 'bob', plan: 'far too long' }), { refused: { errno: 1406 } })
  t.match(await insert({ username: 'bob', id: 'x'.repeat(40) }), { refused: { errno: 1406 } })
  await pool.query("create trigger no_bob before insert on members for each row if new.username = 'bob' then signal sqlstate '45000'; end if")
  t.match(await insert({ username: 'bob' }), { refused: { errno: 1644 } }, 'a trigger of the application')
  await pool.query("create trigger moved before insert on members for each row set new.mail = 'other@host.io'")
  await t.rejects(insert({ username: 'cat' }), /under another address/)
  await pool.query('drop table members')
  await t.rejects(insert({ username: 'dog' }), 'the table is missing')
})

t.test('emails are compared byte by byte with any collation', { skip }, async (t) => {
  const { pool, storage: ours } = await open(t)
  await pool.query(`create table members (id serial primary key, mail varchar(200) collate utf8mb4_general_ci not null unique,
    confirmed boolean not null default false, username varchar(20) default null, plan varchar(5))`)
  const custom = drizzleStorage(drizzle(pool), { users: applicationTables.serial.table })
  for (const storage of [ours, custom]) {
    await storage.insertUser({ email: 'mike@host.io', fields: {} })
    await pool.query('update otp_users set is_verified = false')
    await pool.query('update members set confirmed = false')
    for (const other of ['Mike@host.io', 'mıke@host.io', 'miké@host.io', 'mike@host.io ', 'ｍike@host.io']) {
      t.equal(await storage.findUser(other), null, other)
      t.equal(await storage.verifyUser(other), null, other)
    }
    t.match(await storage.findUser('mike@host.io'), { isVerified: false })
    t.equal(await storage.hasMixedCaseEmails(10), false)
    t.match(await storage.verifyUser('mike@host.io'), { email: 'mike@host.io', isVerified: true })
    t.equal(await storage.verifyUser('mike@host.io'), null, 'only once')
  }
  t.match(await custom.insertUser({ email: 'Mike@host.io', fields: {} }), { refused: { errno: 1062 } }, 'the unique column of the application')
  await custom.insertUser({ email: 'Zoe@host.io', fields: {} })
  t.equal(await custom.hasMixedCaseEmails(1), false, 'only the first rows are read')
  t.equal(await custom.hasMixedCaseEmails(2), true)
})

t.test('keys are compared byte by byte', { skip }, async (t) => {
  const { storage } = await open(t)
  const challenge = newChallenge({ id: 'key', emailHash: 'EmailHash', codeMac: 'mac' })
  await storage.insertChallenge(challenge)
  for (const other of ['KEY', 'kéy', 'key ', '🔑']) {
    t.equal(await storage.findChallenge(other), null, other)
    t.equal(await storage.tryCode(attempt({ ...challenge, id: other })), null, other)
    await storage.insertChallenge({ ...challenge, id: other })
  }
  t.equal(await storage.consumeCode(attempt({ emailHash: 'emailHash', codeMac: 'mac' })), null)
  t.equal(await storage.consumeCode(attempt({ emailHash: 'EmailHash', codeMac: 'MAC' })), null)
  t.equal(await storage.consumeCode(attempt({ emailHash: 'EmailHash', codeMac: 'mac ' })), null)
  t.match(await storage.tryCode(attempt(challenge)), { accepted: true })
})

t.test('$onUpdate columns of the application get a new value at each update', { skip }, async (t) => {
  const { pool } = await open(t)
  let updates = 0
  const table = mysqlTable('members', { ...applicationColumns, id: serial().primaryKey(), plan: varchar({ length: 5 }).$onUpdate(() => String(++updates)) })
  await pool.query(`create table members (id serial primary key, mail varchar(200) not null unique,
    confirmed boolean not null default false, username varchar(20) not null unique, plan varchar(5))`)
  const db = drizzle(pool)
  const storage = drizzleStorage(db, { users: table })
  for (const email of ['a@host.io', 'b@host.io']) await db.insert(table).values({ email, username: email, plan: '' })
  const plans = [await storage.verifyUser('a@host.io'), await storage.verifyUser('b@host.io')].map((user) => (user!.row as { plan: string }).plan)
  t.not(plans[0], plans[1])
  const [b] = await db.select().from(table).where(eq(table.email, 'b@host.io'))
  t.match(b, { isVerified: true, plan: plans[1] })
})

t.test('numbers are returned as numbers on a pool that returns big numbers as text', { skip }, async (t) => {
  const { database } = await open(t)
  const storage = drizzleStorage(drizzle(database.pool({ supportBigNumbers: true, bigNumberStrings: true })))
  const now = Date.now()
  const challenge = newChallenge()
  await storage.insertChallenge(challenge)
  t.same(await storage.tryCode(attempt({ ...challenge, codeMac: 'wrong' })), { accepted: false, attempts: 1, deviceKey: null })
  t.strictSame(await storage.findChallenge(challenge.id), {
    ...challenge, attempts: 1, consumedAt: null, previousMac: null, previousLength: null, previousExpiresAt: null
  })
  const failure = { key: 'k', now, window: 1000, lapse: 2000 }
  t.strictSame(await storage.countFailure(failure), { inWindow: 1, consecutive: 1 })
  t.strictSame(await storage.countFailure({ ...failure, now: now + 1000 }), { inWindow: 1, consecutive: 2 })
  t.strictSame(await storage.readCounter('k'), {
    key: 'k', consecutiveFailures: 2, shortCount: 0, shortFrom: 0, longCount: 1, longFrom: now + 1000, lastAt: now + 1000, expiresAt: now + 3000
  })
  const session = newSession()
  await storage.insertSession(session)
  t.equal(await storage.revokeUserSessions({ userId: session.userId, startedBefore: now + 1e6, now }), 1)
  t.strictSame(await storage.removeExpired({ kind: 'sessions', before: session.idleExpiresAt + 1, limit: 10 }), 1)
})
