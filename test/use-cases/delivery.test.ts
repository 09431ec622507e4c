import t from 'tap'
import { buildApp } from '../helpers/app.ts'
import { logged } from '../helpers/log.ts'

/** A mailer that does what it is told. */
function mailer () {
  const state: { next: () => Promise<void> | void } = { next: () => {} }
  return { state, sendOtp: () => state.next() }
}

const never = () => new Promise<void>(() => {})

t.test('a mailer that rejects or throws: 503, code dead, budget and cool-down back, and the next try works', async (t) => {
  for (const fail of [() => Promise.reject(new Error('mailer is down')), () => { throw new Error('mailer is broken') }]) {
    const { state, sendOtp } = mailer()
    const { browser, codeFor, client, events } = await buildApp(t, { sendOtp })
    const anna = browser()
    state.next = fail
    const failed = await anna.requestOtp('anna@example.com')
    t.match(failed, { status: 503, body: { code: 'OTP_AUTH_DELIVERY_FAILED' } })
    t.same(failed.setCookies, [])
    t.match(events.at(-1), { type: 'delivery.failed', reason: 'rejected' })
    t.equal((await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))).status, 401, 'its code opens nothing')
    t.same(client.prepare('select short_count, long_count from otp_counters where last_at = 0').raw().all(), [[0, 0]])

    state.next = () => {}
    t.equal((await anna.requestOtp('anna@example.com')).status, 200)
    t.equal((await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))).status, 200)
  }
})

t.test('refused mails are given back three times an hour, then they are spent', async (t) => {
  const { state, sendOtp } = mailer()
  const { browser, clock } = await buildApp(t, { sendOtp })
  state.next = () => Promise.reject(new Error('mailer is down'))
  for (let click = 0; click < 4; click++) t.equal((await browser().requestOtp('anna@example.com')).status, 503)
  t.match(await browser().requestOtp('anna@example.com'), { status: 429, body: { retryAfter: 60 } })
  clock.advance(3600)
  t.equal((await browser().requestOtp('anna@example.com')).status, 503)
  t.equal((await browser().requestOtp('anna@example.com')).status, 503, 'an hour later mails are given back again')
})

t.test('a refused mail from the reserve is given back to the reserve', async (t) => {
  const { state, sendOtp } = mailer()
  const { browser, clock } = await buildApp(t, { sendOtp, sendLimits: { perDay: 1, reservePerDay: 1 } })
  t.equal((await browser('192.0.2.1').requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  state.next = () => Promise.reject(new Error('mailer is down'))
  t.equal((await browser('198.51.100.1').requestOtp('anna@example.com')).status, 503)
  state.next = () => {}
  t.equal((await browser('203.0.113.1').requestOtp('anna@example.com')).status, 200, 'at once')
  clock.advance(60)
  t.equal((await browser('203.0.114.1').requestOtp('anna@example.com')).status, 429, 'and no more than the reserve')
})

t.test('when the mail of a second code is refused the first one stays good', async (t) => {
  const { state, sendOtp } = mailer()
  const { browser, clock, codeFor } = await buildApp(t, { sendOtp })
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  const first = codeFor('anna@example.com')
  clock.advance(60)
  state.next = () => Promise.reject(new Error('mailer is down'))
  t.equal((await anna.requestOtp('anna@example.com')).status, 503)
  const refused = codeFor('anna@example.com')
  t.equal((await anna.verifyOtp('anna@example.com', refused)).status, 401)
  t.equal((await anna.verifyOtp('anna@example.com', first)).status, 200)
})

t.test('a mailer that never answers: 503, cool-down back, the mail counted and its code good', async (t) => {
  const { state, sendOtp } = mailer()
  const { browser, codeFor, client, events } = await buildApp(t, { sendOtp, deliveryTimeout: 0.02 })
  state.next = never
  const failed = await browser().requestOtp('anna@example.com')
  t.match(failed, { status: 503, body: { code: 'OTP_AUTH_DELIVERY_FAILED' } })
  t.match(events.at(-1), { type: 'delivery.failed', reason: 'timeout' })
  t.same(client.prepare('select short_count from otp_counters where last_at = 0').pluck().all(), [1])
  const late = codeFor('anna@example.com')

  state.next = () => {}
  const anna = browser()
  t.equal((await anna.requestOtp('anna@example.com')).status, 200, 'no cool-down')
  t.equal((await anna.verifyOtp('anna@example.com', late)).status, 401, 'bound to another request')
  t.equal((await browser().verifyOtp('anna@example.com', late)).status, 200)
})

t.test('a mailer that rejects after its time is up leaves no unhandled rejection', async (t) => {
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  const { state, sendOtp } = mailer()
  const { browser } = await buildApp(t, { sendOtp, deliveryTimeout: 0.01 })
  let reject: (reason: Error) => void
  state.next = () => new Promise((_resolve, _reject) => { reject = _reject })
  t.equal((await browser().requestOtp('anna@example.com')).status, 503)
  reject!(new Error('too late'))
  await new Promise((resolve) => { setImmediate(resolve) })
  t.same(unhandled, [])
})

t.test('where not everybody is mailed the answer does not wait, whatever the mailer does, and nothing comes back', async (t) => {
  for (const next of [never, () => Promise.reject(new Error('mailer is down'))]) {
    const { state, sendOtp } = mailer()
    const { app, browser, events, emails } = await buildApp(t, { sendOtp, isAllowed: () => true, deliveryTimeout: 0.01 })
    state.next = next
    t.equal((await browser().requestOtp('anna@example.com')).status, 200)
    await app.close()
    t.equal(emails.length, 1)
    t.match(events.at(-1), { type: 'delivery.failed', reason: next === never ? 'timeout' : 'rejected' }, 'close waited for it')
  }
})

t.test('behind the answer a failed mail keeps its cool-down, for its end would tell', async (t) => {
  const { state, sendOtp } = mailer()
  const { browser, events } = await buildApp(t, { sendOtp, autoCreateUser: true, awaitDelivery: false })
  state.next = () => Promise.reject(new Error('mailer is down'))
  t.equal((await browser().requestOtp('anna@example.com')).status, 200)
  while (events.at(-1)?.type !== 'delivery.failed') await new Promise((resolve) => { setImmediate(resolve) })
  t.equal((await browser().requestOtp('anna@example.com')).status, 429)
})

t.test('what a mailer says of the recipient or the code is not logged', async (t) => {
  const { sendOtp, state } = mailer()
  const { browser, emails } = await buildApp(t, { sendOtp })
  state.next = () => Promise.reject(Object.assign(
    new Error(`550 <${emails[0]!.email.toUpperCase()}> unknown; mail was "${emails[0]!.code.replace(/^.../, '$& ')}"`), { code: 'EENVELOPE', envelope: { to: emails[0]!.email } }
  ))
  await browser().requestOtp('unknown-recipient@example.com')
  t.match(logged(/EENVELOPE/)[0], /550 <\[address\]> unknown; mail was .*\[code\]/)

  state.next = () => { throw 'no error at all' } // eslint-disable-line no-throw-literal
  await browser().requestOtp('unknown-recipient@example.com')
  t.equal(logged(/no error at all/).length, 1)
})

t.test('a listener that throws or rejects is logged and stops nothing', async (t) => {
  for (const onEvent of [() => { throw new Error('listener threw') }, async () => { throw new Error('listener rejected') }]) {
    const { browser, codeFor } = await buildApp(t, { onEvent })
    await browser().login('anna@example.com', codeFor)
  }
  t.ok(logged(/listener threw/).length > 0)
  t.ok(logged(/listener rejected/).length > 0)
})

t.test('whatever a mailer throws is a rejected mail, awaited or not, and no unhandled rejection', async (t) => {
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  const unreadable = Object.defineProperty(new Error('unreadable'), 'message', { get () { throw new Error('in a getter') } })
  const thrown = [
    null, undefined, 'text', Symbol('symbol'), Object.create(null), { code: 5 }, Object.freeze(new Error('frozen')), unreadable,
    Object.assign(new Error('of an SMTP server'), { code: 550 }),
    Object.assign(new Error('of an SDK'), { message: { reason: 'not a text' } }), Object.assign(new Error('none'), { message: undefined })
  ]
  for (const error of thrown) {
    for (const awaitDelivery of [true, false]) {
      const { browser, events } = await buildApp(t, { awaitDelivery, sendOtp: () => Promise.reject(error) })
      const answer = await browser().requestOtp('anna@example.com')
      t.match(answer, awaitDelivery ? { status: 503, body: { code: 'OTP_AUTH_DELIVERY_FAILED' } } : { status: 200 })
      await new Promise((resolve) => { setImmediate(resolve) })
      t.match(events.at(-1), { type: 'delivery.failed', reason: 'rejected' })
    }
  }
  t.same(unhandled, [])
})

t.test('a mailer that changes the mail and fails leaves neither address nor code in the log', async (t) => {
  const { browser } = await buildApp(t, {
    sendOtp: (mail) => {
      const { email, code } = mail
      Object.assign(mail, { email: 'x', code: 'y' })
      throw new Error(`changed mail to ${email}: ${code}`)
    }
  })
  t.equal((await browser().requestOtp('changed@example.com')).status, 503)
  t.match(logged(/changed mail/)[0], /changed mail to \[address\]: \[code\]/)
})

t.test('a listener that throws an error which cannot be logged stops nothing', async (t) => {
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  const { browser, codeFor } = await buildApp(t, { onEvent: () => { throw Object.freeze(new Error('frozen')) } })
  await browser().login('anna@example.com', codeFor)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.same(unhandled, [])
  t.ok(logged(/cannot be logged/).length > 0)
})

t.test('behind the answer, too, a mail that went out is no failure', async (t) => {
  const { app, browser, events, emails } = await buildApp(t, { autoCreateUser: true, awaitDelivery: false })
  t.equal((await browser().requestOtp('anna@example.com')).status, 200)
  await app.close()
  t.equal(emails.length, 1)
  t.same(events.filter(({ type }) => type === 'delivery.failed'), [])
})
