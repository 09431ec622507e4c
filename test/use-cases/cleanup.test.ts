import t from 'tap'
import { START, buildApp, openDatabase, openStorage, withVerbs } from '../helpers/app.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { logged } from '../helpers/log.ts'
import { withTimers, type Made } from '../helpers/timers.ts'

const HOUR_MS = 3600_000

t.test('cleanup removes rows that expired more than an hour ago and returns their number', async (t) => {
  const { app, browser, clock, client, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.login('anna@example.com', codeFor)
  t.same(await app.otpAuth.cleanup(), { challenges: 0, counters: 0, sessions: 0 })
  clock.advance(600 + 3600)
  t.same(await app.otpAuth.cleanup(), { challenges: 0, counters: 0, sessions: 0 }, 'a row that expired exactly an hour ago is kept')
  clock.advance(0.001)
  t.same(await app.otpAuth.cleanup(), { challenges: 1, counters: 0, sessions: 0 })
  clock.advance(24 * 3600)
  t.match(await app.otpAuth.cleanup(), { challenges: 0, counters: 2, sessions: 0 })
  t.equal((await anna.refresh()).status, 200, 'the session is active')
  await anna.logout()
  t.equal((await app.otpAuth.cleanup()).sessions, 0, 'a revoked session is kept until its expiry, so that its tokens stay refused')
  clock.advance(7 * 24 * 3600 + 3600 + 1)
  t.equal((await app.otpAuth.cleanup()).sessions, 1)
  for (const table of ['otp_challenges', 'otp_counters', 'otp_sessions']) {
    t.equal(client.prepare(`select count(*) from ${table}`).pluck().get(), 0)
  }
})

t.test('ten thousand expired rows are removed in batches of at most a thousand, and logins work meanwhile', async (t) => {
  const { client, storage: real } = openStorage(t)
  const batches: number[] = []
  const storage = withVerbs(real, {
    removeExpired: async (removal) => {
      const removed = await real.removeExpired(removal)
      batches.push(removed)
      return removed
    }
  })
  const { app, browser, codeFor } = await buildApp(t, { storage })
  const insert = client.prepare('insert into otp_challenges (id, email_hash, code_mac, code_length, expires_at) values (?, ?, ?, 6, ?)')
  client.transaction(() => {
    for (let row = 0; row < 10_000; row++) insert.run(`old ${row}`, 'nobody', '', START - HOUR_MS - 1)
  })()

  const cleaning = app.otpAuth.cleanup()
  await browser().login('anna@example.com', codeFor)
  t.ok(client.prepare("select count(*) from otp_challenges where id like 'old%'").pluck().get() as number > 0, 'the login ended before the cleanup')
  t.match(await cleaning, { challenges: 10_000 })
  t.ok(Math.max(...batches) <= 1_000)
  t.equal(client.prepare("select count(*) from otp_challenges where id like 'old%'").pluck().get(), 0)
})

t.test('cleanup runs at its interval, and a failed cleanup is logged and tried again', async (t) => {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  let runs = 0
  const real = drizzleStorage(db)
  const storage = withVerbs(real, {
    removeExpired: async (removal) => {
      if (++runs === 1) throw new Error('database is down')
      return await real.removeExpired(removal)
    }
  })
  await withTimers(async ({ made }) => {
    await buildApp(t, { storage, cleanupInterval: 1 })
    const [{ callback, delay }] = made as [Made]
    t.equal(delay, 1000)
    await callback()
    t.equal(logged(/Cleanup failed/).length, 1)
    t.equal(logged(/"Cleanup finished"/).length, 0)
    await callback()
    t.equal(logged(/"Cleanup finished"/).length, 1)
    t.equal(logged(/Cleanup failed/).length, 1)
  })
})
