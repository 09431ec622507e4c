import t from 'tap'
import { START, buildApp, openDatabase, openStorage, withVerbs } from '../helpers/app.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { logged } from '../helpers/log.ts'
import { withTimers, type Made } from '../helpers/timers.ts'
import type { Services } from '../../src/services/services.ts'
import { cleanup } from '../../src/use-cases/cleanup.ts'

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

t.test('the size of a batch follows the time that the last one took, and each pause is as long as the batch before it', async (t) => {
  /** A clock that only the database moves: it needs so many milliseconds for each row. */
  async function paceOf (perRow: (batch: number) => number) {
    let now = 0
    const limits: number[] = []
    const steps: string[] = []
    const storage = {
      removeExpired: async ({ limit }: { limit: number }) => {
        const time = limit * perRow(limits.length)
        limits.push(limit)
        steps.push(`batch ${time}`)
        now += time
        return limits.length < 12 ? limit : 0
      }
    }
    const services = { storage, options: { clock: () => START } } as unknown as Services
    const pause = async (milliseconds: number) => { steps.push(`pause ${milliseconds}`) }
    await cleanup(services, { now: () => now, pause })
    return { limits: limits.slice(0, 12), steps: steps.slice(0, 22) }
  }

  const even = await paceOf(() => 0.1)
  t.same(even.limits, Array(12).fill(50), 'a batch that takes 5 ms keeps its size')
  t.same(even.steps, Array(11).fill(['batch 5', 'pause 5']).flat())
  t.same((await paceOf(() => 0.001)).limits, [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000, 1000], 'at most twice as large')
  t.same((await paceOf(() => 2)).limits.slice(0, 3), [50, 10, 10], 'at least 10 rows')
  t.same((await paceOf((batch) => batch < 3 ? 0.01 : 0.5)).limits.slice(0, 6), [50, 100, 200, 400, 10, 10], 'a slow batch makes the next one small')
  t.same((await paceOf(() => 0)).limits.at(-1), 1000, 'a batch that takes no time')
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
