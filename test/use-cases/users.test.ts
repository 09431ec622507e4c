import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import t, { type Test } from 'tap'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { buildApp, openDatabase, openStorage, withVerbs } from '../helpers/app.ts'
import { logged } from '../helpers/log.ts'

/** A users table of an application, with its own columns, names and ID type, and a second unique column. */
function applicationDatabase (t: Test, id: 'integer' | 'text') {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  client.exec(`create table people (
    person_id ${id} primary key, mail text not null unique, is_proven integer not null default 0, username text unique, plan text not null default 'free'
  )`)
  const columns = {
    email: text('mail').notNull(),
    isVerified: integer('is_proven', { mode: 'boolean' }).notNull(),
    username: text(),
    plan: text().notNull().default('free')
  }
  const users = id === 'integer'
    ? sqliteTable('people', { id: integer('person_id').primaryKey(), ...columns })
    : sqliteTable('people', { id: text('person_id').primaryKey(), ...columns })
  return { client, storage: drizzleStorage(db, { users }) }
}

t.test('an application can use its own users table, with its own columns and ID type', async (t) => {
  for (const id of ['integer', 'text'] as const) {
    const { client, storage } = applicationDatabase(t, id)
    const { browser, codeFor } = await buildApp(t, { storage, newUserFields: ({ email }) => ({ username: email.split('@')[0] }) })
    const anna = browser()
    const token = await anna.login('anna@example.com', codeFor)
    const { body } = await anna.get('/me', token)
    t.match(body, { email: 'anna@example.com', isVerified: true, username: 'anna', plan: 'free' })
    t.type(body.id, id === 'integer' ? 'number' : 'string')
    t.same(client.prepare('select mail, is_proven from people').raw().all(), [['anna@example.com', 1]])
    t.equal((await anna.refresh()).status, 200)
  }
})

t.test('if a constraint of the application refuses a new user, the error has its own code, no session is created and the other row does not change', async (t) => {
  const { client, storage } = applicationDatabase(t, 'integer')
  client.prepare("insert into people values (1, 'ann@example.com', 1, 'ann', 'paid')").run()
  const { browser, codeFor } = await buildApp(t, { storage, newUserFields: () => ({ username: 'ann' }) })
  const eve = browser()
  await eve.requestOtp('eve@example.com')
  const refused = await eve.verifyOtp('eve@example.com', codeFor('eve@example.com'))
  t.match(refused, { status: 500, body: { code: 'OTP_AUTH_USER_CREATION_FAILED' } })
  t.same(refused.setCookies, [])
  t.equal(client.prepare('select count(*) from otp_sessions').pluck().get(), 0)
  t.same(client.prepare('select * from people').raw().all(), [[1, 'ann@example.com', 1, 'ann', 'paid']])
  t.ok(logged(/people\.username.*A constraint of the users table refused a new user/).length > 0, 'the log names the constraint')
})

t.test('tokens that were issued for an unverified account are refused once its owner verifies the address', async (t) => {
  const { app, browser, client, clock, codeFor } = await buildApp(t)
  client.prepare("insert into otp_users (id, email, is_verified) values ('1', 'anna@example.com', 0)").run()
  const prepared = await app.otpAuth.issueTokens({ id: '1', email: 'anna@example.com', isVerified: false })
  t.equal((await browser().get('/me', prepared.accessToken)).status, 200)
  t.match(await browser().get('/verified', prepared.accessToken), { status: 403, body: { code: 'OTP_AUTH_NOT_VERIFIED' } })
  clock.advance(1)
  const owner = browser()
  const token = await owner.login('anna@example.com', codeFor)
  t.equal((await browser().get('/me', prepared.accessToken)).status, 401)
  t.match(await owner.get('/verified', token), { status: 200, body: { email: 'anna@example.com' } })
  t.match(client.prepare('select id, is_verified from otp_users').raw().all(), [['1', 1]])
})

t.test('if the ID of a deleted user is used again, the old tokens stay refused', async (t) => {
  const { client, storage } = applicationDatabase(t, 'integer')
  const { browser, clock, codeFor } = await buildApp(t, { storage })
  const anna = browser()
  const old = await anna.login('anna@example.com', codeFor)
  client.prepare('delete from people').run()
  clock.advance(60)
  const bob = browser()
  const token = await bob.login('bob@example.com', codeFor)
  t.match(await bob.get('/me', token), { status: 200, body: { id: 1, email: 'bob@example.com' } })
  t.equal((await anna.get('/me', old)).status, 401)
  t.equal((await anna.refresh()).status, 401)
})

t.test('two first logins at the same time both work, with one user that one of them created', async (t) => {
  const { client, storage: real } = openStorage(t)
  let meanwhile: () => unknown = () => {}
  const storage = withVerbs(real, {
    insertUser: async (user) => {
      meanwhile()
      return await real.insertUser(user)
    }
  })
  const { browser, clock, codeFor } = await buildApp(t, { storage })
  for (const isVerified of [0, 1]) {
    meanwhile = () => client.prepare('insert into otp_users values (?, ?, ?)').run(`other ${isVerified}`, `anna${isVerified}@example.com`, isVerified)
    clock.advance(60)
    const anna = browser()
    const token = await anna.login(`anna${isVerified}@example.com`, codeFor)
    t.match(await anna.get('/me', token), { body: { id: `other ${isVerified}`, isVerified: true } })
  }
})

t.test('a token whose user ID does not fit the ID type of the application is 401', async (t) => {
  const { client, storage } = applicationDatabase(t, 'integer')
  const { app, browser, codeFor } = await buildApp(t, { storage })
  await browser().login('anna@example.com', codeFor)
  const { accessToken } = await app.otpAuth.issueTokens({ id: 'no number', email: 'x', isVerified: true })
  t.equal((await browser().get('/me', accessToken)).status, 401)
  t.equal(client.prepare('select count(*) from otp_sessions').pluck().get(), 2)
})

t.test('a user who is deleted while the code is checked is not logged in', async (t) => {
  const { client, storage: real } = openStorage(t)
  const storage = withVerbs(real, {
    verifyUser: async (email) => {
      client.prepare('delete from otp_users').run()
      return await real.verifyUser(email)
    }
  })
  const { browser, codeFor } = await buildApp(t, { storage })
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  t.match(await anna.verifyOtp('anna@example.com', codeFor('anna@example.com')), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } })
  t.equal(client.prepare('select count(*) from otp_sessions').pluck().get(), 0)
})

t.test('if one unverified user logs in twice at the same time, both logins work and only one has isNewUser', async (t) => {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  client.prepare("insert into otp_users values ('1', 'anna@example.com', 0)").run()
  const real = drizzleStorage(db)
  const storage = withVerbs(real, {
    verifyUser: async (email) => {
      await real.verifyUser(email)
      return await real.verifyUser(email)
    }
  })
  const { browser, codeFor, events } = await buildApp(t, { storage })
  const anna = browser()
  const token = await anna.login('anna@example.com', codeFor)
  t.match(await anna.get('/verified', token), { status: 200 })
  t.match(events.at(-1), { type: 'otp.verified', isNewUser: false })
})
