import t from 'tap'
import { buildApp, wrongCode, type TestApp } from '../helpers/app.ts'
import type { Browser } from '../helpers/browser.ts'

const DAY = 24 * 3600
const LONG_CODE = /^[0-9A-HJKMNP-TV-Z]{13}$/

/** A login page that shows no cookie of its own: guesses by address and code alone. */
const unbound = (app: TestApp) => app.browser('203.0.113.9')

/** The failure budget of the one subject of a test. */
function failures ({ client }: TestApp): { day: number, consecutive: number } | undefined {
  return client.prepare('select long_count as day, consecutive_failures as consecutive from otp_counters where consecutive_failures > 0 or short_from = 0').get() as never
}

/** Asks for a code and enters wrong ones. */
async function fail (app: TestApp, browser: Browser, email: string, times: number): Promise<void> {
  for (let guess = 0; guess < times; guess++) await browser.verifyOtp(email, wrongCode(app.codeFor(email)))
}

/** Spends the failure budget: five wrong guesses a request, from networks and at times that the send budgets allow. */
async function spendFailureBudget (app: TestApp, email: string, failures = 20): Promise<void> {
  for (let request = 0; request < failures / 5; request++) {
    const stranger = app.browser(`198.51.${request}.1`)
    await stranger.requestOtp(email)
    await fail(app, stranger, email, 5)
    app.clock.advance(20 * 60)
  }
}

t.test('five guesses a request, the right one after them is refused, and the fifth says so', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  for (const attemptsRemaining of [4, 3, 2, 1, 0]) {
    t.match(await anna.verifyOtp('anna@example.com', wrongCode(code)), { status: 401, body: { attemptsRemaining } })
  }
  const spent = await anna.verifyOtp('anna@example.com', code)
  t.match(spent, { status: 429, body: { code: 'OTP_AUTH_TOO_MANY_ATTEMPTS' } })
  t.same(spent.setCookies, [])
  t.equal((await unbound(app).verifyOtp('anna@example.com', code)).status, 401, 'leaving the id out opens it no more')
  t.same(failures(app), { day: 5, consecutive: 5 }, 'and what is not compared is not counted')
})

t.test('a code works once; a second click is refused without a cookie and charges nobody', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  const { body: { request_id: id } } = await anna.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  t.equal((await anna.verifyOtp('anna@example.com', code)).status, 200)

  // Somebody else's live challenge of the same subject, which the second click must not be charged to.
  app.clock.advance(60)
  await app.browser('198.51.100.1').requestOtp('anna@example.com')
  const again = await anna.verifyOtp('anna@example.com', code, { request_id: id })
  t.match(again, { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE', attemptsRemaining: undefined } })
  t.same(again.setCookies, [])
  t.equal(failures(app)?.day, undefined)
})

t.test('a second click with the older of two codes charges nobody either', async (t) => {
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

t.test('an expired code is refused, one a second younger is not', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  app.clock.advance(600)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 401)
  await anna.requestOtp('anna@example.com')
  app.clock.advance(599)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('a code as people type it is the same code', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  const [a, b] = [app.codeFor('anna@example.com').slice(0, 3), app.codeFor('anna@example.com').slice(3)]
  t.equal((await anna.verifyOtp('anna@example.com', ` ${a}\u2013${b}\u200b`)).status, 200)
})

t.test('a guess of another length is wrong and takes no try', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  for (const code of ['12345', '1234567', '-', '0123456789ABC']) {
    t.match(await anna.verifyOtp('anna@example.com', code), { status: 401, body: { attemptsRemaining: 5 } })
  }
  t.equal(failures(app), undefined)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('a right code works without its request id, and with a stale id or one of another address', async (t) => {
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
  t.equal((await phone.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200, 'its own request has ended')
})

t.test('requireRequestId refuses guesses without the id of their request, and charges nobody', async (t) => {
  const app = await buildApp(t, { requireRequestId: true })
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  t.equal((await unbound(app).verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 401)
  t.equal(failures(app), undefined)
  t.equal((await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('unbound guesses draw on a budget of the subject and every failure is the same plain answer', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  const code = app.codeFor('anna@example.com')
  const answers = []
  for (let guess = 0; guess < 8; guess++) answers.push(await unbound(app).verifyOtp('anna@example.com', wrongCode(code)))
  answers.push(await unbound(app).verifyOtp('anna@example.com', code))
  answers.push(await unbound(app).verifyOtp('nobody@example.com', code))
  for (const { status, body, headers } of answers) {
    t.equal(status, 401)
    t.same(body, answers[0]!.body)
    t.same(Object.keys(headers), Object.keys(answers[0]!.headers))
    t.notOk('attemptsRemaining' in body)
  }
  t.same(failures(app), { day: 5, consecutive: 5 }, 'what was not compared is not counted')
  t.equal((await anna.verifyOtp('anna@example.com', code)).status, 200, 'the owner, who carries the id, is not held up')
})

t.test('guesses at an address without a live challenge charge nobody', async (t) => {
  const app = await buildApp(t)
  for (let guess = 0; guess < 100; guess++) t.equal((await unbound(app).verifyOtp('anna@example.com', '123456')).status, 401)
  t.equal(app.client.prepare('select count(*) from otp_counters').pluck().get(), 0)
})

t.test('a stranger who knows the address spoils nothing that the owner holds', async (t) => {
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

t.test('a new code does not reset the count of failures: five wrong, resend, five wrong are ten', async (t) => {
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

t.test('a success clears the failures in a row and leaves those of the day', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.requestOtp('anna@example.com')
  await fail(app, anna, 'anna@example.com', 3)
  await anna.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))
  t.same(failures(app), { day: 3, consecutive: 0 })
})

t.test('past the failure budget codes are long, short ones already mailed work from their own browser alone', async (t) => {
  const app = await buildApp(t)
  await spendFailureBudget(app, 'anna@example.com', 15)
  const owner = app.browser('203.0.113.77')
  await owner.requestOtp('anna@example.com')
  const short = app.codeFor('anna@example.com')
  app.clock.advance(60)
  const guesser = app.browser('203.0.114.1')
  await guesser.requestOtp('anna@example.com')
  await fail(app, guesser, 'anna@example.com', 5)
  t.match(app.events.filter(({ type }) => type === 'failure-limit.reached'), { length: 1 })

  t.equal((await unbound(app).verifyOtp('anna@example.com', short)).status, 401, 'an unbound short guess is not compared any more')
  t.same(failures(app), { day: 20, consecutive: 20 })
  app.clock.advance(3600 - 60)
  const laptop = app.browser('203.0.115.1')
  const requested = await laptop.requestOtp('anna@example.com')
  t.equal(requested.body.code_length, 13)
  t.match(app.codeFor('anna@example.com'), LONG_CODE)
  t.equal((await unbound(app).verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200, 'a long code works unbound')
})

t.test('a short code mailed before the escalation still opens from its own browser', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.requestOtp('anna@example.com')
  const short = app.codeFor('anna@example.com')
  app.clock.advance(60)
  const guesser = app.browser('203.0.114.1')
  await guesser.requestOtp('anna@example.com')
  await fail(app, guesser, 'anna@example.com', 5)
  app.clock.advance(60)
  const long = await guesser.requestOtp('anna@example.com')
  t.equal(long.body.code_length, 13)
  t.equal((await guesser.verifyOtp('anna@example.com', app.codeFor('anna@example.com').toLowerCase())).status, 200, 'as people type it')
  t.equal((await owner.verifyOtp('anna@example.com', short)).status, 200)
})

t.test('escalation ends with its day, and the failures in a row lapse after thirty days', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5, consecutive: 6 } })
  const stranger = app.browser('203.0.114.1')
  await stranger.requestOtp('anna@example.com')
  await fail(app, stranger, 'anna@example.com', 5)
  app.clock.advance(DAY)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 6)
  await fail(app, stranger, 'anna@example.com', 1)
  app.clock.advance(2 * DAY)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 13, 'six in a row')
  app.clock.advance(28 * DAY)
  t.equal((await stranger.requestOtp('anna@example.com')).body.code_length, 6)
})

t.test('unknown addresses escalate by the same rules', async (t) => {
  const app = await buildApp(t, { autoCreateUser: false, failureLimits: { perDay: 5 } })
  const stranger = app.browser('203.0.114.1')
  await stranger.requestOtp('nobody@example.com')
  for (let guess = 0; guess < 5; guess++) await stranger.verifyOtp('nobody@example.com', '123456')
  app.clock.advance(60)
  t.equal((await stranger.requestOtp('nobody@example.com')).body.code_length, 13)
  t.match(await stranger.verifyOtp('nobody@example.com', '0123456789ABC'), { status: 401, body: { attemptsRemaining: 4 } })
})

t.test('a browser that has logged in keeps short codes, under a failure budget of its own', async (t) => {
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
  t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 13, 'its own failures count for it')
  t.equal((await owner.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
})

t.test('guesses bound to a device\'s request charge the device even if its cookie is left out', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  const { body: { request_id: id } } = await owner.requestOtp('anna@example.com')
  const thief = app.browser('203.0.114.1')
  for (let guess = 0; guess < 5; guess++) {
    await thief.verifyOtp('anna@example.com', wrongCode(app.codeFor('anna@example.com')), { request_id: id })
  }
  app.clock.advance(60)
  t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 13)
})

t.test('a right code ends the device\'s failures in a row, too', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 100, consecutive: 4 }, otpLength: 7 })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  // The third would be the seventh failure in a row, and its code a long one.
  for (let login = 0; login < 3; login++) {
    app.clock.advance(60)
    t.equal((await owner.requestOtp('anna@example.com')).body.code_length, 7)
    await fail(app, owner, 'anna@example.com', 3)
    t.equal((await owner.verifyOtp('anna@example.com', app.codeFor('anna@example.com'))).status, 200)
  }
})

t.test('onFailureLimit "refuse" sends no more codes until the window ends', async (t) => {
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

t.test('where the new session fails the browser keeps the one that it has', async (t) => {
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

t.test('an id that has ended or was used counts as none: a newer code opens, and nothing is told of the old request', async (t) => {
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

t.test('a second click with the older code charges nobody while a newer request is alive', async (t) => {
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

t.test('what a device fails counts for strangers, too: a stolen one buys them no more guesses', async (t) => {
  const app = await buildApp(t, { failureLimits: { perDay: 5 } })
  const owner = app.browser()
  await owner.login('anna@example.com', app.codeFor)
  app.clock.advance(60)
  await owner.requestOtp('anna@example.com')
  await fail(app, owner, 'anna@example.com', 5)
  app.clock.advance(60)
  t.equal((await app.browser('203.0.114.1').requestOtp('anna@example.com')).body.code_length, 13)
})
