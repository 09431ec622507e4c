import t, { type Test } from 'tap'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { buildApp, createClock, openDatabase, wrongCode, type TestApp } from '../helpers/app.ts'

const NAMES = ['slow', 'right', 'fast'] as const
type Skews = Record<typeof NAMES[number], number>

/** By how many seconds the clock of each process is ahead. */
const FIVE_MINUTES: Skews = { slow: -300, right: 0, fast: 300 }
const DAY = 24 * 3600

/** Three processes on one database with different clocks. `time` is the right time. */
async function startSkewed (t: Test, options: Parameters<typeof buildApp>[1] = {}, skews = FIVE_MINUTES) {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  const time = createClock()
  const start = (skew: number) => buildApp(t, {
    rateLimit: false, ...options, storage: drizzleStorage(db), clock: () => time() + skew * 1000
  })
  return { client, time, slow: await start(skews.slow), right: await start(skews.right), fast: await start(skews.fast) }
}

interface Pair {
  writer: TestApp
  reader: TestApp
  /** By how many seconds the reader sees something expire too late: the difference of the two clocks. */
  off: number
  label: string
  /** Waits until `step` seconds before the end and runs `before`, then until the end and runs `at`. */
  around: (end: number, step: number, before: () => Promise<void>, at: () => Promise<void>) => Promise<void>
}

/** Runs the check with each process as the writer and each as the reader. If the clocks differ by more than a lifetime, it ends at once. */
async function forEachPair (
  { time, ...processes }: Awaited<ReturnType<typeof startSkewed>>, check: (pair: Pair) => Promise<void>
): Promise<void> {
  for (const writer of NAMES) {
    for (const reader of NAMES) {
      await check({
        writer: processes[writer],
        reader: processes[reader],
        off: FIVE_MINUTES[writer] - FIVE_MINUTES[reader],
        label: `written by the ${writer} process, read by the ${reader} one`,
        around: async (end, step, before, at) => {
          if (end > 0) {
            time.advance(end - step)
            await before()
            time.advance(step)
          }
          await at()
        }
      })
    }
  }
}

let people = 0
const fresh = () => `anna${++people}@example.com`

t.test('a code expires too late or too early by exactly the difference of the clocks, to the millisecond', async (t) => {
  await forEachPair(await startSkewed(t), async ({ writer, reader, off, label, around }) => {
    const [early, late] = [fresh(), fresh()]
    const [anna, bert] = [writer.browser(), writer.browser()]
    await anna.requestOtp(early)
    await bert.requestOtp(late)
    await around(600 + off, 0.001, async () => {
      t.equal((await anna.at(reader.app).verifyOtp(early, writer.codeFor(early))).status, 200, label)
    }, async () => {
      t.equal((await bert.at(reader.app).verifyOtp(late, writer.codeFor(late))).status, 401, label)
    })
  })
})

t.test('access tokens and sessions, idle and absolute, expire too late or too early by the difference of the clocks', async (t) => {
  const options = { refreshTokenLifetime: '1h', sessionLifetime: '90m' } as const
  await forEachPair(await startSkewed(t, options), async ({ writer, reader, off, label, around }) => {
    const [anna, bert] = [writer.browser(), writer.browser()]
    const token = await anna.login(fresh(), writer.codeFor)
    await bert.login(fresh(), writer.codeFor)
    const access = async () => (await anna.at(reader.app).get('/me', token)).status
    await around(900 + off, 1, async () => { t.equal(await access(), 200, label) }, async () => { t.equal(await access(), 401, label) })

    const annaThere = anna.at(reader.app)
    await around(2700, 1, async () => {
      t.equal((await annaThere.refresh()).status, 200, label)
    }, async () => {
      t.equal((await bert.at(reader.app).refresh()).status, 401, `${label}: idle`)
    })
    await around(1800, 1, async () => {
      t.equal((await annaThere.refresh()).status, 200, label)
    }, async () => {
      t.equal((await annaThere.refresh()).status, 401, `${label}: absolute`)
    })
  })
})

t.test('the cooldown and the windows of emails and failures end too late or too early by the difference of the clocks', async (t) => {
  const sends = { 60: {}, 3600: { sendLimits: { perHour: 1 } } }
  for (const [seconds, options] of Object.entries(sends)) {
    await forEachPair(await startSkewed(t, options), async ({ writer, reader, off, label, around }) => {
      const email = fresh()
      const ask = () => reader.browser().requestOtp(email)
      await writer.browser().requestOtp(email)
      await around(Number(seconds) + off, 1, async () => {
        t.match(await ask(), { status: 429, body: { retryAfter: 1 } }, label)
      }, async () => { t.equal((await ask()).status, 200, label) })
    })
  }
  const options = { otpRateLimitSeconds: 0, failureLimits: { perDay: 1 } }
  await forEachPair(await startSkewed(t, options), async ({ writer, reader, off, label, around }) => {
    const email = fresh()
    const anna = writer.browser()
    const ask = () => reader.browser().requestOtp(email)
    await anna.requestOtp(email)
    await anna.verifyOtp(email, wrongCode(writer.codeFor(email)))
    await around(DAY + off, 1, async () => {
      t.match(await ask(), { status: 200, body: { code_length: 13 } }, label)
    }, async () => { t.match(await ask(), { status: 200, body: { code_length: 6 } }, label) })
  })
})

t.test('the grace period of a refresh also shifts by the difference of the clocks; after it, a parallel tab is logged out', async (t) => {
  await forEachPair(await startSkewed(t), async ({ writer, reader, off, label, around }) => {
    const [anna, bert] = [writer.browser(), writer.browser()]
    for (const one of [anna, bert]) await one.login(fresh(), writer.codeFor)
    const [annaThere, bertThere] = [anna.at(reader.app), bert.at(reader.app)]
    for (const one of [anna, bert]) t.equal((await one.refresh()).status, 200)
    await around(30.001 + off, 0.001, async () => {
      t.equal((await annaThere.refresh()).status, 200, label)
    }, async () => { t.equal((await bertThere.refresh()).status, 401, label) })
  })
})

t.test('verifying a user ends the sessions that began before, if they are older than the difference of the clocks', async (t) => {
  const { client, time, slow, fast } = await startSkewed(t)
  for (const [seconds, status] of [[600, 200], [600.001, 401]] as const) {
    const user = { id: fresh(), email: fresh(), isVerified: false }
    client.prepare('insert into otp_users values (?, ?, 0)').run(user.id, user.email)
    const { accessToken } = await fast.app.otpAuth.issueTokens(user)
    time.advance(seconds)
    await slow.browser().login(user.email, slow.codeFor)
    t.equal((await slow.browser().get('/me', accessToken)).status, status, `after ${seconds} s`)
  }
})

for (const [apart, skews] of [['ten minutes', FIVE_MINUTES], ['an hour', { slow: -1800, right: 0, fast: 1800 }]] as const) {
  t.test(`a process whose clock is ${apart} ahead of another cleans up nothing that is still valid for the other one`, async (t) => {
    const { time, slow, fast } = await startSkewed(t, { sendLimits: { perDay: 1 } }, skews)
    const clean = async () => { t.same(await fast.app.otpAuth.cleanup(), { challenges: 0, counters: 0, sessions: 0 }) }
    const email = fresh()
    const anna = slow.browser()
    await anna.requestOtp(email)
    time.advance(599.999)
    await clean()
    t.equal((await anna.verifyOtp(email, slow.codeFor(email))).status, 200, 'a code is valid in its last millisecond')

    time.advance(DAY - 600)
    t.same((await fast.app.otpAuth.cleanup()).counters, 0)
    t.match(await slow.browser().requestOtp(email), { status: 429, body: { retryAfter: 1 } }, 'the limit still applies in its last second')

    time.advance(6 * DAY + 599)
    t.same((await fast.app.otpAuth.cleanup()).sessions, 0)
    t.equal((await anna.refresh()).status, 200, 'a session is valid in its last second')
  })
}
