import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { getTableConfig, integer, sqliteTable, text, withReplicas } from 'drizzle-orm/sqlite-core'
import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { counters, challenges, drizzleStorage, sessions, users } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { openSqlite } from '../helpers/databases/sqlite.ts'

const now = 1_790_000_000_123
const failure = { key: 'failures', now, window: 1000, lapse: 1000 }

/** A users table of an application, with another ID type, other column names, and an extra column with a constraint. */
const accounts = sqliteTable('accounts', {
  id: integer('account').primaryKey(),
  email: text('mail').notNull().unique(),
  isVerified: integer('proven', { mode: 'boolean' }).notNull().default(false),
  nickname: text().unique()
})

async function openWithAccounts () {
  const database = await openSqlite(2)
  const [first] = database.databases
  first!.run(sql`create table accounts (account integer primary key, mail text not null unique, proven integer not null default 0, nickname text unique)`)
  return {
    ...database,
    storages: database.databases.map((db) => {
      db.$client.defaultSafeIntegers(true)
      return drizzleStorage(db, { users: accounts })
    }),
    insertUserRow: async (user: { email: string, isVerified: boolean }) =>
      String(first!.insert(accounts).values(user).returning().get().id)
  }
}

t.test('better-sqlite3 keeps the storage contract with several connections to one file', async (t) => {
  storageConformance({ test: (name, run) => { t.test(name, run) }, open: openSqlite })
})

t.test('better-sqlite3 that returns BigInt keeps the storage contract, with a users table of the application with integer IDs', async (t) => {
  storageConformance({ parallel: 20, test: (name, run) => { t.test(name, run) }, open: openWithAccounts })
})

t.test('columns of the application are stored, and a violated constraint refuses the insert with the error of the database', async (t) => {
  const { storages: [storage], close } = await openWithAccounts()
  t.teardown(close)
  const made = await storage!.insertUser({ email: 'mike@x.io', fields: { nickname: 'mike' } })
  t.match(made, { user: { email: 'mike@x.io', row: { nickname: 'mike' } } })
  const refused = await storage!.insertUser({ email: 'anna@x.io', fields: { nickname: 'mike' } })
  t.match(refused, { refused: { code: 'SQLITE_CONSTRAINT_UNIQUE' } })
  t.equal(await storage!.findUser('anna@x.io'), null)
})

t.test('an ID that the application sets is the ID of the user', async (t) => {
  const { storages: [storage], close } = await openSqlite(1)
  t.teardown(close)
  t.match(await storage!.insertUser({ email: 'mike@x.io', fields: { id: 'mike' } }), { user: { id: 'mike' } })
})

t.test('the shipped migrations create the indexes that the tables declare', async (t) => {
  const { databases: [db], close } = await openSqlite(1)
  t.teardown(close)
  const declared = [challenges, counters, sessions].flatMap((table) => getTableConfig(table).indexes.map(({ config }) => config.name))
  const made = db!.all<{ name: string }>(sql`select name from sqlite_master where type = 'index' and name like 'otp_%'`)
  t.same(made.map(({ name }) => name).sort(), [...declared, 'otp_users_email_unique'].sort())
})

t.test('fields can set neither another email nor the isVerified flag', async (t) => {
  const { storages: [storage], close } = await openSqlite(1)
  t.teardown(close)
  const made = await storage!.insertUser({ email: 'mike@x.io', fields: { email: 'anna@x.io', isVerified: true } })
  t.match(made, { user: { email: 'mike@x.io', isVerified: false } })
})

t.test('an insert of a user that fails for another reason than a constraint rejects', async (t) => {
  const { storages: [storage], databases: [db], close } = await openSqlite(1)
  t.teardown(close)
  db!.run(sql`drop table otp_users`)
  await t.rejects(storage!.insertUser({ email: 'mike@x.io', fields: {} }), { message: /no such table/ })
})

t.test('inside a transaction of the application writes reject, because a rollback would undo them', async (t) => {
  const { storages: [storage], databases: [db], close } = await openSqlite(1)
  t.teardown(close)
  db!.run(sql`begin`)
  await t.rejects(storage!.countFailure(failure), { message: /inside a transaction/ })
  t.equal(await storage!.readCounter('failures'), null, 'reads still work')
  db!.run(sql`rollback`)
  t.same(await storage!.countFailure(failure), { inWindow: 1, consecutive: 1 })
})

t.test('of a database with replicas, only the primary is read', async (t) => {
  const { databases: [primary], close } = await openSqlite(1)
  const client = new Database(':memory:')
  t.teardown(() => { client.close(); return close() })
  primary!.insert(users).values({ email: 'mike@x.io' }).run()
  const storage = drizzleStorage(withReplicas(primary!, [drizzle({ client })]))
  t.match(await storage.findUser('mike@x.io'), { email: 'mike@x.io' })
  t.same(await storage.countFailure(failure), { inWindow: 1, consecutive: 1 })
})
