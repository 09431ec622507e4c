import t, { type Test } from 'tap'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { buildApp, createClock, openDatabase, wrongCode, type TestApp } from '../helpers/app.ts'
import { Browser, type Requestable } from '../helpers/browser.ts'

const OLD = 'an old secret, which has 32 bytes or more'
const NEW = 'a new secret, which has 32 bytes or more'
const DAY = 24 * 3600

/** Two processes on one database. Each can be deployed again with other secrets. */
async function twoProcesses (t: Test, secrets: [string[], string[]]) {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  const clock = createClock()
  const sendLimits = { perDevicePerHour: 25, perDevicePerDay: 25 }
  const options = {
    storage: drizzleStorage(db), clock, failureLimits: { perDay: 1 }, sendLimits, otpRateLimitSeconds: 1, rateLimit: false
  } as const
  const start = (secretKey: string[]) => buildApp(t, { ...options, secretKey })
  const running: [TestApp, TestApp] = [await start(secrets[0]), await start(secrets[1])]
  const all: TestApp[] = [...running]
  const processes = ([0, 1] as const).map((n): Requestable => ({ inject: (request) => running[n].app.inject(request) }))
  return {
    clock,
    /** Browsers send requests to these. The current deployment responds. */
    processes: processes as [Requestable, Requestable],
    async deploy (n: 0 | 1, secretKey: string[]) {
      running[n] = await start(secretKey)
      all.push(running[n])
    },
    /** The codes that were sent to the address, oldest first. */
    codesFor: (email: string) => all.flatMap(({ emails }) => emails).filter((message) => message.email === email)
      .sort((one, other) => Number(one.expiresAt) - Number(other.expiresAt)).map(({ code }) => code)
  }
}

const newBrowser = (process: Requestable) => new Browser(process, '192.0.2.1')

t.test('a rotation by [old, new], then [new, old], then [new] logs nobody out, and every code works at every moment', async (t) => {
  const { clock, processes, deploy, codesFor } = await twoProcesses(t, [[OLD], [OLD]])
  const codeFor = (email: string) => codesFor(email).at(-1)!
  let people = 0

  /** A user requests two codes from one process and will enter one of them at the other process. */
  async function ask (from: 0 | 1, isBound: boolean, isNewest: boolean) {
    const email = `anna${++people}@example.com`
    const browser = newBrowser(processes[from])
    for (const which of ['one code', 'another code']) {
      t.equal((await browser.requestOtp(email)).status, 200, which)
      clock.advance(1)
    }
    if (!isBound) browser.cookies.clear()
    const code = codesFor(email).at(isNewest ? -1 : 0)!
    const there = browser.at(processes[1 - from]!)
    return async (moment: string) => {
      const label = `${moment}: a code from process ${from}, ${isBound ? 'bound' : 'unbound'}, ${isNewest ? 'the newest' : 'the one before'}`
      t.equal((await there.verifyOtp(email, code)).status, 200, label)
    }
  }
  const askAll = async () => [
    await ask(0, true, true), await ask(0, true, false), await ask(0, false, true), await ask(0, false, false),
    await ask(1, true, true), await ask(1, true, false), await ask(1, false, true), await ask(1, false, false)
  ]

  let pending = await askAll()
  const tabs = [newBrowser(processes[0]), newBrowser(processes[1])]
  const tokens = [await tabs[0]!.login('bert@example.com', codeFor), await tabs[1]!.login('carl@example.com', codeFor)]

  // An attacker reaches Dora's failure limit. The device cookie of her browser keeps her codes short.
  let dora = newBrowser(processes[0])
  await dora.login('dora@example.com', codeFor)
  clock.advance(60)
  await newBrowser(processes[0]).requestOtp('dora@example.com')
  await newBrowser(processes[0]).verifyOtp('dora@example.com', wrongCode(codeFor('dora@example.com')))

  /** Checks that everything issued before, and everything that one process issues now, is valid at both processes. */
  async function checkAll (moment: string): Promise<void> {
    for (const enter of [...pending, ...await askAll()]) await enter(moment)
    pending = await askAll()
    for (const n of [0, 1, 0] as const) {
      dora = dora.at(processes[n])
      t.match(await dora.requestOtp('dora@example.com'), { status: 200, body: { code_length: 6 } }, `${moment}: a remembered browser`)
      clock.advance(31)
      for (const [position, token] of [...tokens.entries()]) {
        const tab = tabs[position] = tabs[position]!.at(processes[n])
        t.equal((await tab.get('/me', token)).status, 200, `${moment}: access`)
        const refreshed = await tab.refresh()
        t.equal(refreshed.status, 200, `${moment}: refresh`)
        tokens[position] = refreshed.body.access_token
      }
    }
  }

  await checkAll('[old]')
  for (const secrets of [[OLD, NEW], [NEW, OLD]]) {
    for (const n of [0, 1] as const) {
      await deploy(n, secrets)
      await checkAll(`[${secrets.map((secret) => secret === OLD ? 'old' : 'new').join(', ')}] at process ${n}`)
    }
  }
  for (const enter of pending.splice(0)) await enter('[new, old] everywhere')
  // Her next login, within the 180 days of the cookie, moves it to the new secret.
  await dora.verifyOtp('dora@example.com', codeFor('dora@example.com'))
  clock.advance(7 * DAY - 1)
  for (const [position, tab] of tabs.entries()) tokens[position] = (await tab.refresh()).body.access_token
  clock.advance(1)
  for (const n of [0, 1] as const) {
    await deploy(n, [NEW])
    await checkAll(`[new] at process ${n}`)
  }
})

t.test('without the first step, a process that does not know the new secret yet refuses everything signed with it, and accepts it once it knows the secret', async (t) => {
  const { clock, processes: [ahead, behind], deploy, codesFor } = await twoProcesses(t, [[NEW, OLD], [OLD]])
  const codeFor = (email: string) => codesFor(email).at(-1)!
  const anna = newBrowser(ahead)
  const token = await anna.login('anna@example.com', codeFor)
  const there = anna.at(behind)
  const cookies = new Map(there.cookies)
  t.match(await there.get('/me', token), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } })
  t.match(await there.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
  t.same(there.cookies, cookies, 'no cookie is lost')

  const bert = newBrowser(ahead)
  await bert.requestOtp('bert@example.com')
  t.match(await bert.at(behind).verifyOtp('bert@example.com', codeFor('bert@example.com')), {
    status: 401, body: { code: 'OTP_AUTH_INVALID_CODE', attemptsRemaining: 4 }
  }, 'entering the code costs an attempt and counts as a failure')

  const carl = newBrowser(behind)
  const old = await carl.login('carl@example.com', codeFor)
  t.equal((await carl.at(ahead).get('/me', old)).status, 200, 'in the other direction everything works')
  t.equal((await carl.at(ahead).refresh()).status, 200)
  const dora = newBrowser(behind)
  await dora.requestOtp('dora@example.com')
  t.equal((await dora.at(ahead).verifyOtp('dora@example.com', codeFor('dora@example.com'))).status, 200)

  await deploy(1, [NEW, OLD])
  clock.advance(60)
  t.equal((await there.get('/me', token)).status, 200, 'the session stayed active')
  t.equal((await there.refresh()).status, 200)
  t.equal((await bert.at(behind).verifyOtp('bert@example.com', codeFor('bert@example.com'))).status, 200, 'the code works')
})

t.test('the first of several secrets signs, all of them verify, and the tokens of a removed secret are refused', async (t) => {
  const clock = createClock()
  const before = await buildApp(t, { secretKey: OLD, clock })
  const { storage } = before
  const during = await buildApp(t, { secretKey: [NEW, Buffer.from(OLD)], storage, clock })
  const after = await buildApp(t, { secretKey: [NEW], storage, clock })
  const [anna, annaDuring, annaAfter] = [before.browser(), during.browser(), after.browser()]
  const become = (to: typeof anna, from: typeof anna) => { for (const [name, value] of from.cookies) to.cookies.set(name, value) }
  const invalid = { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }

  const oldToken = await anna.login('anna@example.com', before.codeFor)
  t.equal((await annaDuring.get('/me', oldToken)).status, 200, 'a token from before the rotation')
  t.match(await annaAfter.get('/me', oldToken), invalid, 'once the old secret is removed')
  become(annaAfter, anna)
  t.match(await annaAfter.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } }, 'the refresh token, too')

  become(annaDuring, anna)
  const renewed = await annaDuring.refresh()
  t.equal(renewed.status, 200, 'a refresh token from before the rotation')
  t.equal((await annaAfter.get('/me', renewed.body.access_token)).status, 200, 'the new access token is signed with the new secret')
  t.match(await anna.get('/me', renewed.body.access_token), invalid, 'the old secret cannot verify it')

  await anna.requestOtp('bert@example.com')
  const [bert, bertLate] = [during.browser(), after.browser()]
  become(bert, anna)
  become(bertLate, anna)
  const code = before.codeFor('bert@example.com')
  t.match(await bertLate.verifyOtp('bert@example.com', code), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } }, 'a code of a removed secret')
  t.equal((await bert.verifyOtp('bert@example.com', code)).status, 200, 'a code that was sent before the rotation')
})
