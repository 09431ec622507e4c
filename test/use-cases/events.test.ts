import t from 'tap'
import { buildApp, openStorage, withVerbs, wrongCode } from '../helpers/app.ts'
import { forget, logged } from '../helpers/log.ts'

const EMAIL = 'anna@example.com'

t.test('isNewUser is true in the email and the event of the first login, and false in those of later logins', async (t) => {
  const { browser, codeFor, clock, emails, events } = await buildApp(t)
  for (const isNewUser of [true, false]) {
    await browser().login(EMAIL, codeFor)
    t.match(emails.at(-1), { isNewUser })
    t.match(events.findLast(({ type }) => type === 'otp.verified'), { isNewUser })
    clock.advance(60)
  }
})

t.test('failure-limit.reached is emitted once, by the failure that reaches the daily or the consecutive limit', async (t) => {
  for (const failureLimits of [{ perDay: 3 }, { consecutive: 3 }]) {
    const { browser, codeFor, events } = await buildApp(t, { failureLimits })
    const anna = browser()
    await anna.requestOtp(EMAIL)
    const reached = () => events.filter(({ type }) => type === 'failure-limit.reached').length
    const counts: number[] = []
    for (let n = 0; n < 4; n++) {
      await anna.verifyOtp(EMAIL, wrongCode(codeFor(EMAIL)))
      counts.push(reached())
    }
    t.same(counts, [0, 0, 1, 1], JSON.stringify(failureLimits))
  }
})

t.test('refresh-token.reused is emitted once, however many reused tokens arrive at the same time', async (t) => {
  const { storage: real } = openStorage(t)
  let awaited = 0
  let release = () => {}
  const together = new Promise<void>((resolve) => { release = resolve })
  const storage = withVerbs(real, {
    loadSession: async (keys) => {
      const loaded = await real.loadSession(keys)
      // All requests load the session before one of them revokes it.
      if (awaited > 0 && --awaited === 0) release()
      if (awaited > 0) await together
      return loaded
    }
  })
  const { app, browser, codeFor, clock, events } = await buildApp(t, { storage })
  const anna = browser()
  await anna.login(EMAIL, codeFor)
  const thieves = [1, 2, 3].map(() => anna.at(app, '198.51.100.1'))
  for (let step = 0; step < 2; step++) {
    clock.advance(60)
    t.equal((await anna.refresh()).status, 200)
  }
  awaited = thieves.length
  t.same((await Promise.all(thieves.map((thief) => thief.refresh()))).map(({ status }) => status), [401, 401, 401])
  t.equal(events.filter(({ type }) => type === 'refresh-token.reused').length, 1)
})

t.test('a code of the wrong length is not counted: attemptsRemaining stays as it was', async (t) => {
  const { browser, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.requestOtp(EMAIL)
  await anna.verifyOtp(EMAIL, wrongCode(codeFor(EMAIL)))
  t.match(await anna.verifyOtp(EMAIL, '1'), { status: 401, body: { attemptsRemaining: 4 } })
})

t.test('without a listener, events are logged and no listener error is logged', async (t) => {
  const { browser, codeFor } = await buildApp(t, { onEvent: undefined })
  await browser().login(EMAIL, codeFor)
  t.ok(logged(/"otp\.verified"/).length > 0)
  t.same(logged(/onEvent failed/), [])
})

t.test('events that an operator should look at are logged as warnings, and all other events as info', async (t) => {
  forget()
  let deliver = async () => {}
  const { app, browser, codeFor, clock } = await buildApp(t, {
    failureLimits: { perDay: 1 }, rateLimit: { logout: { max: 1 } }, sendOtp: () => deliver()
  })
  const anna = browser()
  await anna.login(EMAIL, codeFor)
  const thief = anna.at(app, '198.51.100.1')
  for (let step = 0; step < 2; step++) {
    clock.advance(60)
    await anna.refresh()
  }
  await thief.refresh()
  await browser().requestOtp(EMAIL)
  await browser().verifyOtp(EMAIL, wrongCode(codeFor(EMAIL)))
  for (let n = 0; n < 2; n++) await browser().logout()
  deliver = async () => { throw new Error('no mail server') }
  await browser().requestOtp('ben@example.com')
  const lines = logged(/"otpAuth"/).map((line) => JSON.parse(line))
  for (const { level, otpAuth, msg } of lines) {
    t.equal(msg, otpAuth.type)
    t.equal(level, ['failure-limit.reached', 'refresh-token.reused', 'ip-limit.reached', 'delivery.failed'].includes(msg) ? 40 : 30, msg)
  }
  t.same([...new Set(lines.map(({ msg }) => msg))].sort(), [
    'delivery.failed', 'failure-limit.reached', 'ip-limit.reached', 'otp.failed', 'otp.requested', 'otp.verified', 'refresh-token.reused', 'session.refreshed'
  ])
})
