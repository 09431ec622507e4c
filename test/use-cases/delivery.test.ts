import t from 'tap'
import { buildApp } from '../helpers/app.ts'
import { logged } from '../helpers/log.ts'

/** An email provider. The test sets what it does next. */
function emailProvider () {
  const state: { next: () => Promise<void> | void } = { next: () => {} }
  return { state, sendOtp: () => state.next() }
}

const never = () => new Promise<void>(() => {})

t.test('if sendOtp rejects or throws, the response is 503, the code is withdrawn, the email is not counted, there is no cooldown, and the next request works', async (t) => {
  for (const fail of [() => Promise.reject(new Error('email provider is down')), () => { throw new Error('email provider is broken') }]) {
    const { state, sendOtp } = emailProvider()
    const { browser, codeFor, client, events } = await buildApp(t, { sendOtp })
    const anna = browser()
    state.next = fail
    const failed = await anna.requestOtp('anna@example.com')
    t.match(failed, { status: 503, body: { code: 'OTP_AUTH_DELIVERY_FAILED' } })
    t.same(failed.setCookies, [])
    t.match(events.at(-1), { type: 'delivery.failed', reason: 'rejected' })
    t.equal((await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))).status, 401, 'its code does not work')
    t.same(client.prepare('select short_count, long_count from otp_counters where last_at = 0').raw().all(), [[0, 0]])

    state.next = () => {}
    t.equal((await anna.requestOtp('anna@example.com')).status, 200)
    t.equal((await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))).status, 200)
  }
})

t.test('rejected emails are released three times an hour, and the fourth one is counted', async (t) => {
  const { state, sendOtp } = emailProvider()
  const { browser, clock } = await buildApp(t, { sendOtp })
  state.next = () => Promise.reject(new Error('email provider is down'))
  for (let click = 0; click < 4; click++) t.equal((await browser().requestOtp('anna@example.com')).status, 503)
  t.match(await browser().requestOtp('anna@example.com'), { status: 429, body: { retryAfter: 60 } })
  clock.advance(3600)
  t.equal((await browser().requestOtp('anna@example.com')).status, 503)
  t.equal((await browser().requestOtp('anna@example.com')).status, 503, 'an hour later, rejected emails are released again')
})

t.test('a rejected email from the reserve is released to the reserve', async (t) => {
  const { state, sendOtp } = emailProvider()
  const { browser, clock } = await buildApp(t, { sendOtp, sendLimits: { perDay: 1, reservePerDay: 1 } })
  t.equal((await browser('192.0.2.1').requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  state.next = () => Promise.reject(new Error('email provider is down'))
  t.equal((await browser('198.51.100.1').requestOtp('anna@example.com')).status, 503)
  state.next = () => {}
  t.equal((await browser('203.0.113.1').requestOtp('anna@example.com')).status, 200, 'without a wait')
  clock.advance(60)
  t.equal((await browser('203.0.114.1').requestOtp('anna@example.com')).status, 429, 'the reserve is used up')
})

t.test('if the email with a second code is rejected, the first code stays valid', async (t) => {
  const { state, sendOtp } = emailProvider()
  const { browser, clock, codeFor } = await buildApp(t, { sendOtp })
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  const first = codeFor('anna@example.com')
  clock.advance(60)
  state.next = () => Promise.reject(new Error('email provider is down'))
  t.equal((await anna.requestOtp('anna@example.com')).status, 503)
  const refused = codeFor('anna@example.com')
  t.equal((await anna.verifyOtp('anna@example.com', refused)).status, 401)
  t.equal((await anna.verifyOtp('anna@example.com', first)).status, 200)
})

t.test('if sendOtp never settles, the response is 503, the cooldown is released, the email stays counted and its code stays valid', async (t) => {
  const { state, sendOtp } = emailProvider()
  const { browser, codeFor, client, events } = await buildApp(t, { sendOtp, deliveryTimeout: 0.02 })
  state.next = never
  const failed = await browser().requestOtp('anna@example.com')
  t.match(failed, { status: 503, body: { code: 'OTP_AUTH_DELIVERY_FAILED' } })
  t.match(events.at(-1), { type: 'delivery.failed', reason: 'timeout' })
  t.same(client.prepare('select short_count from otp_counters where last_at = 0').pluck().all(), [1])
  const late = codeFor('anna@example.com')

  state.next = () => {}
  const anna = browser()
  t.equal((await anna.requestOtp('anna@example.com')).status, 200, 'no cooldown')
  t.equal((await anna.verifyOtp('anna@example.com', late)).status, 401, 'the attempt has the ID of another request')
  t.equal((await browser().verifyOtp('anna@example.com', late)).status, 200)
})

t.test('if sendOtp rejects after deliveryTimeout, there is no unhandled rejection', async (t) => {
  const unhandled: unknown[] = []
  const onRejection = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', onRejection)
  t.teardown(() => process.off('unhandledRejection', onRejection))
  const { state, sendOtp } = emailProvider()
  const { browser } = await buildApp(t, { sendOtp, deliveryTimeout: 0.01 })
  let reject: (reason: Error) => void
  state.next = () => new Promise((_resolve, _reject) => { reject = _reject })
  t.equal((await browser().requestOtp('anna@example.com')).status, 503)
  reject!(new Error('too late'))
  await new Promise((resolve) => { setImmediate(resolve) })
  t.same(unhandled, [])
})

t.test('if not every address gets an email, the response is 200 before delivery ends, whether sendOtp rejects or never settles', async (t) => {
  for (const next of [never, () => Promise.reject(new Error('email provider is down'))]) {
    const { state, sendOtp } = emailProvider()
    const { app, browser, events, emails } = await buildApp(t, { sendOtp, isAllowed: () => true, deliveryTimeout: 0.01 })
    state.next = next
    t.equal((await browser().requestOtp('anna@example.com')).status, 200)
    await app.close()
    t.equal(emails.length, 1)
    t.match(events.at(-1), { type: 'delivery.failed', reason: next === never ? 'timeout' : 'rejected' }, 'close waited for the delivery')
  }
})

t.test('if delivery is not awaited, a failed email keeps its cooldown, because releasing it would reveal that an email was sent', async (t) => {
  const { state, sendOtp } = emailProvider()
  const { browser, events } = await buildApp(t, { sendOtp, autoCreateUser: true, awaitDelivery: false })
  state.next = () => Promise.reject(new Error('email provider is down'))
  t.equal((await browser().requestOtp('anna@example.com')).status, 200)
  while (events.at(-1)?.type !== 'delivery.failed') await new Promise((resolve) => { setImmediate(resolve) })
  t.equal((await browser().requestOtp('anna@example.com')).status, 429)
})

t.test('the recipient and the code in an error of sendOtp are not logged', async (t) => {
  const { sendOtp, state } = emailProvider()
  const { browser, emails } = await buildApp(t, { sendOtp })
  state.next = () => Promise.reject(Object.assign(
    new Error(`550 <${emails[0]!.email.toUpperCase()}> unknown; email was "${emails[0]!.code.replace(/^.../, '$& ')}"`), { code: 'EENVELOPE', envelope: { to: emails[0]!.email } }
  ))
  await browser().requestOtp('unknown-recipient@example.com')
  t.match(logged(/EENVELOPE/)[0], /550 <\[address\]> unknown; email was .*\[code\]/)

  state.next = () => { throw 'no error at all' } // eslint-disable-line no-throw-literal
  await browser().requestOtp('unknown-recipient@example.com')
  t.equal(logged(/no error at all/).length, 1)
})

t.test('if a listener throws or rejects, its error is logged and the login works', async (t) => {
  for (const onEvent of [() => { throw new Error('listener threw') }, async () => { throw new Error('listener rejected') }]) {
    const { browser, codeFor } = await buildApp(t, { onEvent })
    await browser().login('anna@example.com', codeFor)
  }
  t.ok(logged(/listener threw/).length > 0)
  t.ok(logged(/listener rejected/).length > 0)
})

t.test('any value that sendOtp rejects with is a rejected email, awaited or not, and never an unhandled rejection', async (t) => {
  const unhandled: unknown[] = []
  const onRejection = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', onRejection)
  t.teardown(() => process.off('unhandledRejection', onRejection))
  const unreadable = Object.defineProperty(new Error('unreadable'), 'message', { get () { throw new Error('in a getter') } })
  const thrown = [
    null, undefined, 'text', Symbol('symbol'), Object.create(null), { code: 5 }, Object.freeze(new Error('frozen')), unreadable,
    Object.assign(new Error('of an SMTP server'), { code: 550 }),
    Object.assign(new Error('of an SDK'), { message: { reason: 'not a text' } }), Object.assign(new Error('none'), { message: undefined })
  ]
  for (const error of thrown) {
    for (const awaitDelivery of [true, false]) {
      const { browser, events } = await buildApp(t, { awaitDelivery, sendOtp: () => Promise.reject(error) })
      const response = await browser().requestOtp('anna@example.com')
      t.match(response, awaitDelivery ? { status: 503, body: { code: 'OTP_AUTH_DELIVERY_FAILED' } } : { status: 200 })
      await new Promise((resolve) => { setImmediate(resolve) })
      t.match(events.at(-1), { type: 'delivery.failed', reason: 'rejected' })
    }
  }
  t.same(unhandled, [])
})

t.test('if sendOtp changes its argument and fails, neither the address nor the code is logged', async (t) => {
  const { browser } = await buildApp(t, {
    sendOtp: (message) => {
      const { email, code } = message
      Object.assign(message, { email: 'x', code: 'y' })
      throw new Error(`changed email to ${email}: ${code}`)
    }
  })
  t.equal((await browser().requestOtp('changed@example.com')).status, 503)
  t.match(logged(/changed email/)[0], /changed email to \[address\]: \[code\]/)
})

t.test('if a listener throws an error that cannot be logged, the login works', async (t) => {
  const unhandled: unknown[] = []
  const onRejection = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', onRejection)
  t.teardown(() => process.off('unhandledRejection', onRejection))
  const { browser, codeFor } = await buildApp(t, { onEvent: () => { throw Object.freeze(new Error('frozen')) } })
  await browser().login('anna@example.com', codeFor)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.same(unhandled, [])
  t.ok(logged(/cannot be logged/).length > 0)
})

t.test('if delivery is not awaited, an email that was sent causes no delivery.failed event', async (t) => {
  const { app, browser, events, emails } = await buildApp(t, { autoCreateUser: true, awaitDelivery: false })
  t.equal((await browser().requestOtp('anna@example.com')).status, 200)
  await app.close()
  t.equal(emails.length, 1)
  t.same(events.filter(({ type }) => type === 'delivery.failed'), [])
})

t.test('if normalizeEmail keeps upper case, an address is hidden in the log in upper and in lower case', async (t) => {
  const { browser } = await buildApp(t, {
    normalizeEmail: (typed) => typed,
    sendOtp: ({ email }) => { throw new Error(`kept case: ${email} ${email.toUpperCase()}`) }
  })
  t.equal((await browser().requestOtp('Walter.Braun@example.com')).status, 503)
  t.match(logged(/kept case/)[0], /kept case: \[address\] \[address\]/)
})
