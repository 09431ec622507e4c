import t from 'tap'
import { buildApp, wrongCode, type TestApp } from '../helpers/app.ts'
import type { Browser } from '../helpers/browser.ts'

const DAY = 24 * 3600
const LONG_CODE = /^[0-9A-HJKMNP-TV-Z]{13}$/

/** A browser without cookies. Its attempts have only an email and a code. */
const unbound = (app: TestApp) => app.browser('203.0.113.9')

/** The failure counter of the only email in a test. */
function failures ({ client }: TestApp): { day: number, consecutive: number } | undefined {
  return client.prepare('select long_count as day, consecutive_failures as consecutive from otp_counters where consecutive_failures > 0 or short_from = 0').get() as never
}

/** Enters wrong codes. */
async function fail (app: TestApp, browser: Browser, email: string, times: number): Promise<void> {
  for (let attempt = 0; attempt < times; attempt++) await browser.verifyOtp(email, wrongCode(app.codeFor(email)))
}

/** Adds failures: five wrong attempts per request, from networks and at times that the send limits allow. */
async function addFailures (app: TestApp, email: string, failures = 20): Promise<void> {
  for (let request = 0; request < failures / 5; request++) {
    const stranger = app.browser(`198.51.${request}.1`)
    await stranger.requestOtp(email)
    await fail(app, stranger, email, 5)
    app.clock.advance(20 * 60)
  }
}

t.test('a request allows five attempts: the fifth wrong one says that none remain, and then the right code is refused', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  for (const attemptsRemaining of [4, 3, 2, 1, 0]) {
    t.match(await anna.verifyOtp('anna@example.com', wrongCode(code)), { status: 401, body: { attemptsRemaining } })
  }
  const refused = await anna.verifyOtp('anna@example.com', code)
  t.match(refused, { status: 429, body: { code: 'OTP_AUTH_TOO_MANY_ATTEMPTS' } })
  t.same(refused.setCookies, [])
  t.equal((await unbound(app).verifyOtp('anna@example.com', code)).status, 401, 'leaving out the request ID does not help')
  t.same(failures(app), { day: 5, consecutive: 5 }, 'attempts that are not compared are not counted')
})

t.test('a code can be used once; a second use is refused, sets no cookie and is not counted as a failure', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  const { body: { request_id: id } } = await anna.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  t.equal((await anna.verifyOtp('anna@example.com', code)).status, 200)

  // The active challenge of another browser for the same email. The second use must not be counted for it.
  app.clock.advance(60)
  await app.browser('198.51.100.1').requestOtp('anna@example.com')
  const again = await anna.verifyOtp('anna@example.com', code, { request_id: id })
  t.match(again, { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE', attemptsRemaining: undefined } })
  t.same(again.setCookies, [])
  t.equal(failures(app)?.day, undefined)
})

t.test('a second use of the older of two codes is not counted as a failure either', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  const { body: { request_id: id } } = await anna.requestOtp('anna@example.com')
  const first = app.codeFor('anna@example.com')
  app.clock.advance(60)
  await anna.requestOtp('anna@example.com')
  t.equal((await anna.verifyOtp('anna@example.com', first)).status, 200)
  t.equal((await anna.verifyOtp('anna@example.com', first, { request_id: id })).status, 401)
  t.equal(failures(app)?.day, undefined)
})

t.test('a code is refused once it has expired and works one second before', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  app.clock.advance(600)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 401)
  await anna.requestOtp('anna@example.com')
  app.clock.advance(599)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('a code works with the spaces and dashes that people type', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  const [a, b] = [app.codeFor('anna@example.com').slice(0, 3), app.codeFor('anna@example.com').slice(3)]
  t.equal((await anna.verifyOtp('anna@example.com', ` ${a}\u2013${b}\u200b`)).status, 200)
})

t.test('a code of the wrong length is refused and uses no attempt', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  for (const code of ['12345', '1234567', '-', '0123456789ABC']) {
    t.match(await anna.verifyOtp('anna@example.com', code), { status: 401, body: { attemptsRemaining: 5 } })
  }
  t.equal(failures(app), undefined)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('the right code works without its request ID, with a stale request ID, and with the request ID of another email', async (t) => {
  const app = await buildApp(t)
  const phone = app.browser()
  await phone.requestOtp('anna@example.com')
  t.equal((await unbound(app).verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)

  app.clock.advance(60)
  await phone.requestOtp('anna@example.com')
  const other = app.browser('198.51.100.1')
  await other.requestOtp('other@example.com')
  t.ok(other.cookies.has('__Host-otp_request'))
  t.equal((await other.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)

  app.clock.advance(60)
  await phone.requestOtp('anna@example.com')
  const stale = { request_id: 'AAAAAAAAAAAAAAAAAAAAAA' }
  t.equal((await unbound(app).verifyOtp('anna@example.com', app.codeFor('anna@example.com'), stale)).status, 200)

  app.clock.advance(601)
  await app.browser('203.0.113.1').requestOtp('anna@example.com')
  t.equal((await phone.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200, 'the request of the phone has expired')
})

t.test('with requireRequestId, an attempt without its request ID is refused and not counted', async (t) => {
  const app = await buildApp(t, { requireRequestId: true })
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  t.equal((await unbound(app).verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 401)
  t.equal(failures(app), undefined)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('unbound attempts share one limit per email, and every failure gets the same response', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  const responses = []
  for (let attempt = 0; attempt < 8; attempt++) responses.push(await unbound(app).verifyOtp('anna@example.com', wrongCode(code)))
  responses.push(await unbound(app).verifyOtp('anna@example.com', code))
  responses.push(await unbound(app).verifyOtp('nobody@example.com', code))
  for (const { status, body, headers } of responses) {
    t.equal(status, 401)
    t.same(body, responses[0]!.body)
    t.same(Object.keys(headers), Object.keys(responses[0]!.headers))
    t.notOk('attemptsRemaining' in body)
  }
  t.same(failures(app), { day: 5, consecutive: 5 }, 'attempts that were not compared are not counted')
  t.equal((await anna.verifyOtp('anna@example.com', code)).status, 200, 'the owner has the request ID and can log in')
})

t.test('attempts for an email without an active challenge are not counted', async (t) => {
  const app = await buildApp(t)
  for (let attempt = 0; attempt < 100; attempt++) t.equal((await unbound(app).verifyOtp('anna@example.com', '123456')).status, 401)
  t.equal(app.client.prepare('select count(*) from otp_counters').pluck().get(), 0)
})

t.test('an attacker who knows the email cannot make the owner\'s code fail', async (t) => {
  const app = await buildApp(t)
  const owner = app.browser()
  await owner.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  app.clock.advance(60)
  const stranger = app.browser('203.0.113.1')
  await stranger.requestOtp('anna@example.com')
  await fail(app, stranger, 'anna@example.com', 10)
  await Promise.all(Array.from({ length: 100 }, () => unbound(app).verifyOtp('anna@example.com', wrongCode(code))))
  t.equal((await owner.verifyOtp('anna@example.com', code)).status, 200)
})

t.test('a new code does not reset the failures: five wrong attempts, a new code and five more are ten failures', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  await fail(app, anna, 'anna@example.com', 6)
  app.clock.advance(60)
  await anna.requestOtp('anna@example.com')
  t.match(await anna.verifyOtp('anna@example.com', wrongCode(app.codeFor('anna@example.com'))), { body: { attemptsRemaining: 4 } })
  await fail(app, anna, 'anna@example.com', 5)
  t.same(failures(app), { day: 10, consecutive: 10 })
})

t.test('a login resets the consecutive failures and keeps the failures of the day', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  await fail(app, anna, 'anna@example.com', 3)
  await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))
  t.same(failures(app), { day: 3, consecutive: 0 })
})

t.test('after the failure limit, new codes are long, and short codes that were already sent work only with their request ID', async (t) => {
  const app = await buildApp(t)
  await addFailures(app, 'anna@example.com', 15)
  const owner = app.browser('203.0.113.77')
  await owner.requestOtp('anna@example.com')
  const short = app.codeFor('anna@example.com')
  app.clock.advance(60)
  const attacker = app.browser('203.0.114.1')
  await attacker.requestOtp('anna@example.com')
  await fail(app, attacker, 'anna@example.com', 5)
  t.match(app.events.filter(({ type }) => type === 'failure-limit.reached'), { length: 1 })

  t.equal((await unbound(app).verifyOtp('anna@example.com', short)).status, 401, 'an unbound attempt with a short code is not compared any more')
  t.same(failures(app), { day: 20, consecutive: 20 })
  app.clock.advance(3600 - 60)
  const laptop = app.browser('203.0.115.1')
  const requested = await laptop.requestOtp('anna@example.com')
  t.equal(requested.body.code_length, 13)
  t.match(app.codeFor('anna@example.com'), LONG_CODE)
  t.equal((await unbound(app).verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200, 'a long code works in an unbound attempt')
})

t.test('a short code that was sent before the failure limit still works in its own browser', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.requestOtp('anna@example.com')
  const short = app.codeFor('anna@example.com')
  app.clock.advance(60)
  const attacker = app.browser('203.0.114.1')
  await attacker.requestOtp('anna@example.com')
  await fail(app, attacker, 'anna@example.com', 5)
  app.clock.advance(60)
  const long = await attacker.requestOtp('anna@example.com')
  t.equal(long.body.code_length, 13)
  t.equal((await attacker.verifyOtp('anna@example.com', app.codeFor('anna@example.com').toLowerCase())).status, 200, 'in lowercase')
  t.equal((await owner.verifyOtp('anna@example.com', short)).status, 200)
})

t.test('the daily failure limit ends with its day, and the consecutive failures expire after thirty days', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5, consecutive: 6 } })
  const stranger = app.browser('203.0.114.1')
  await stranger.requestOtp('anna@example.com')
  await fail(app, stranger, 'anna@example.com', 5)
  app.clock.advance(DAY)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 6)
  await fail(app, stranger, 'anna@example.com', 1)
  app.clock.advance(2 * DAY)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 13, 'six consecutive failures')
  app.clock.advance(28 * DAY)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 6)
})

t.test('the failure limit and long codes apply to unknown emails, too', async (t) => {
  const app = await buildApp(t, { autoCreateUser: false, failureLimits: { perDay: 5 } })
  const stranger = app.browser('203.0.114.1')
  await stranger.requestOtp('nobody@example.com')
  for (let attempt = 0; attempt < 5; attempt++) await stranger.verifyOtp('nobody@example.com', '123456')
  app.clock.advance(60)
  t.equal((await stranger.requestOtp('nobody@example.com')).body.code_length, 13)
  t.match(await stranger.verifyOtp('nobody@example.com', '0123456789ABC'), { status: 401, body: { attemptsRemaining: 4 } })
})

t.test('a remembered browser keeps short codes and has its own failure limit', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  app.clock.advance(60)
  const stranger = app.browser('203.0.114.1')
  await stranger.requestOtp('anna@example.com')
  await fail(app, stranger, 'anna@example.com', 5)
  app.clock.advance(60)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 13)
  t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 6)

  await fail(app, owner, 'anna@example.com', 5)
  app.clock.advance(60)
  t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 13, 'the browser has reached its own limit')
  t.equal((await owner.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('attempts with the request ID of a remembered browser count for that browser, even without its cookie', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  const { body: { request_id: id } } = await owner.requestOtp('anna@example.com')
  const thief = app.browser('203.0.114.1')
  for (let attempt = 0; attempt < 5; attempt++) {
    await thief.verifyOtp('anna@example.com', wrongCode(app.codeFor('anna@example.com')), { request_id: id })
  }
  app.clock.advance(60)
  t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 13)
})

t.test('the right code also resets the consecutive failures of a remembered browser', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 100, consecutive: 4 }, otpLength: 7 })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  // Without the reset, four consecutive failures would make the next code long.
  for (let login = 0; login < 3; login++) {
    app.clock.advance(60)
    t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 7)
    await fail(app, owner, 'anna@example.com', 3)
    t.equal((await owner.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
  }
})

t.test('with onFailureLimit "refuse", no more codes are sent until the window ends', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 }, onFailureLimit: 'refuse' })
  const stranger = app.browser('203.0.114.1')
  await stranger.requestOtp('anna@example.com')
  await fail(app, stranger, 'anna@example.com', 5)
  app.clock.advance(60)
  t.match(await app.browser().requestOtp('anna@example.com'), { status: 429, body: { retryAfter: DAY - 60 } })
  t.match(app.events.at(-1), { type: 'otp.refused', reason: 'failure-limit' })
  app.clock.advance(DAY - 60)
  t.equal((await app.browser().requestOtp('anna@example.com')).body.code_length, 6)
})

t.test('if the new session cannot be created, the browser keeps the session that it has', async (t) => {
  let fails = false
  const { browser, codeFor, clock } = await buildApp(t, { getAdditionalClaims: () => { if (fails) throw new Error('no claims'); return {} } })
  const anna = browser()
  const token = await anna.login('anna@example.com', codeFor)
  clock.advance(60)
  await anna.requestOtp('anna@example.com')
  fails = true
  t.match(await anna.verifyOtp('anna@example.com', codeFor('anna@example.com')), { status: 500, setCookies: { length: 0 } })
  fails = false
  t.equal((await anna.get('/me', token)).status, 200)
  t.equal((await anna.refresh()).status, 200)
})

t.test('an expired or used request ID is ignored: a newer code works, and the response reveals nothing about the old request', async (t) => {
  for (const end of ['expired', 'used'] as const) {
    const { browser, codeFor, clock } = await buildApp(t)
    const { request_id: id } = (await browser().requestOtp('anna@example.com')).body
    if (end === 'used') t.equal((await browser().verifyOtp('anna@example.com', codeFor('anna@example.com'), { request_id: id })).status, 200)
    clock.advance(end === 'used' ? 60 : 600)
    const late = await browser().verifyOtp('anna@example.com', '000000', { request_id: id })
    t.match(late, { status: 401, body: { attemptsRemaining: undefined } }, end)
    await browser().requestOtp('anna@example.com')
    t.equal((await browser().verifyOtp('anna@example.com', codeFor('anna@example.com'), { request_id: id })).status, 200, end)
  }
})

t.test('a second use of the older code is not counted as a failure while a newer request is active', async (t) => {
  const app = await buildApp(t)
  const { browser, codeFor, clock } = app
  const anna = browser()
  const { request_id: id } = (await anna.requestOtp('anna@example.com')).body
  const older = codeFor('anna@example.com')
  clock.advance(60)
  await anna.requestOtp('anna@example.com')
  t.equal((await anna.verifyOtp('anna@example.com', older)).status, 200)
  clock.advance(60)
  await browser().requestOtp('anna@example.com')
  t.equal((await browser().verifyOtp('anna@example.com', older, { request_id: id })).status, 401)
  t.equal(failures(app), undefined)
})

t.test('failures of a remembered browser count for the email, too, so a stolen device cookie adds no attempts', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  app.clock.advance(60)
  await owner.requestOtp('anna@example.com')
  await fail(app, owner, 'anna@example.com', 5)
  app.clock.advance(60)
  t.equal((await app.browser('203.0.114.1').requestOtp('anna@example.com')).body.code_length, 13)
})
