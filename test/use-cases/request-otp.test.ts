import { randomBytes } from 'node:crypto'
import t from 'tap'
import { buildApp, openStorage, withVerbs, wrongCode } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'
import { createCounterKeys } from '../../src/core/counter-keys.ts'

const HOUR = 3600
const DAY = 24 * HOUR

t.test('a second email is refused after 59 seconds and sent after 60, and the refused requests are not counted', async (t) => {
  const { browser, clock, emails, client } = await buildApp(t)
  const anna = browser()
  t.equal((await anna.requestOtp('anna@example.com')).status, 200)
  for (let click = 0; click < 6; click++) {
    const refused = await anna.requestOtp('anna@example.com')
    t.match(refused, { status: 429, body: { code: 'OTP_AUTH_TOO_MANY_REQUESTS', retryAfter: 60 }, headers: { 'retry-after': '60' } })
    t.same(refused.setCookies, [])
  }
  clock.advance(59)
  t.match(await anna.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: 1 } })
  clock.advance(1)
  t.equal((await anna.requestOtp('anna@example.com')).status, 200)
  t.equal(emails.length, 2)
  t.equal(client.prepare('select max(short_count) as n from otp_counters').pluck().get(), 2)
})

t.test('emails that differ in a plus tag, or at Gmail in dots, are one mailbox but not one account', async (t) => {
  const { browser, emails } = await buildApp(t)
  const eve = browser()
  t.equal((await eve.requestOtp('v+1@example.com')).status, 200)
  t.equal((await eve.requestOtp('v+2@example.com')).status, 429)
  t.equal((await eve.requestOtp('v.x@gmail.com')).status, 200)
  t.equal((await eve.requestOtp('vx@googlemail.com')).status, 429)
  t.equal((await eve.requestOtp('v.x@example.com')).status, 200)
  t.equal((await eve.requestOtp('vx@example.com')).status, 200)
  t.same(emails.map(({ email }) => email), ['v+1@example.com', 'v.x@gmail.com', 'v.x@example.com', 'vx@example.com'])
})

t.test('one network can send three emails an hour to a mailbox, and a refusal by this limit releases the counts of the mailbox', async (t) => {
  const { browser, clock, emails } = await buildApp(t)
  for (const client of [1, 2, 3]) {
    t.equal((await browser(`192.0.2.${client}`).requestOtp('anna@example.com')).status, 200)
    clock.advance(60)
  }
  const refused = await browser('192.0.2.4').requestOtp('anna@example.com')
  t.match(refused, { status: 429, body: { retryAfter: HOUR - 180 } })
  const elsewhere = browser('198.51.100.1')
  t.equal((await elsewhere.requestOtp('anna@example.com')).status, 200, 'the refusal counts neither for the cooldown nor for the hourly limit')
  clock.advance(60)
  t.equal((await elsewhere.requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  t.match(await elsewhere.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: HOUR - 300 } }, 'five emails in the hour')
  t.equal(emails.length, 5)
})

t.test('after the daily limit of a mailbox, known networks wait and a network that is new to it uses the reserve', async (t) => {
  const { browser, clock, emails, events } = await buildApp(t, { sendLimits: { perHour: 100, perDay: 4, reservePerDay: 2 }, otpLength: 8 })
  const ask = (network: number) => browser(`10.0.${network}.1`).requestOtp('anna@example.com')
  for (const network of [1, 1, 2, 2]) {
    t.equal((await ask(network)).status, 200)
    clock.advance(60)
  }
  const refused = await ask(1)
  t.match(refused, { status: 429, body: { retryAfter: DAY - 240 } })
  t.match(events.at(-1), { type: 'otp.refused', reason: 'send-limit' })
  t.equal((await ask(3)).status, 200, 'a network that has sent nothing to the mailbox')
  t.equal((await ask(4)).status, 429, 'the reserve has the same cooldown')
  clock.advance(60)
  t.equal((await ask(3)).status, 429, 'the network is known now')
  t.equal((await ask(4)).status, 200)
  clock.advance(60)
  t.equal((await ask(5)).status, 429, 'the reserve is used up')
  t.equal(emails.length, 6)

  clock.advance(DAY - 360)
  t.equal((await ask(1)).status, 200, 'the window began with its first email')
})

t.test('a network that is new to the mailbox gets an email after the daily limit, but not after the hourly limit or during the cooldown', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perHour: 2 } })
  const ask = (network: number) => browser(`10.0.${network}.1`).requestOtp('anna@example.com')
  t.equal((await ask(1)).status, 200)
  t.match(await ask(2), { status: 429, body: { retryAfter: 60 } })
  clock.advance(60)
  t.equal((await ask(2)).status, 200)
  clock.advance(60)
  t.match(await ask(3), { status: 429, body: { retryAfter: HOUR - 120 } })
})

t.test('a refusal by the limit of a network releases the count of the mailbox, even if the network reaches its limit during the request', async (t) => {
  const { storage: real } = openStorage(t)
  const between: Array<() => Promise<unknown>> = []
  const storage = withVerbs(real, {
    incrementCounter: async (increment) => {
      await between.shift()?.()
      return await real.incrementCounter(increment)
    }
  })
  const { browser } = await buildApp(t, { storage, otpRateLimitSeconds: 0, sendLimits: { perHour: 2, perNetworkPerHour: 1 }, otpLength: 8 })
  const ask = (ip: string) => browser(ip).requestOtp('anna@example.com')
  between.push(async () => t.equal((await ask('192.0.2.1')).status, 200))
  t.equal((await ask('192.0.2.2')).status, 429)
  t.equal((await ask('198.51.100.1')).status, 200)
  t.equal((await ask('203.0.113.1')).status, 429, 'two in the hour')
})

t.test('without trustProxy, a forged X-Forwarded-For does not count as another network', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perNetworkPerHour: 1 } })
  const stranger = browser()
  const ask = (address: string) => stranger.post('/auth/request-otp', { email: 'anna@example.com' }, { 'x-forwarded-for': address })
  t.equal((await ask('10.0.1.1')).status, 200)
  clock.advance(60)
  t.equal((await ask('10.0.2.1')).status, 429)
})

t.test('without a reserve, the daily limit of a mailbox applies to all networks', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perDay: 1, reservePerDay: 0 } })
  t.equal((await browser('10.0.1.1').requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  t.match(await browser('10.0.2.1').requestOtp('anna@example.com'), { status: 429, body: { retryAfter: DAY - 60 } })
})

t.test('a remembered browser has its own send limits', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t, { sendLimits: { perDay: 1, reservePerDay: 0, perDevicePerHour: 2 } })
  const owner = browser()
  await owner.login('anna@example.com', codeFor)
  t.equal((await browser().requestOtp('anna@example.com')).status, 429)
  t.equal((await owner.requestOtp('anna@example.com')).status, 200, 'neither the limits nor the cooldown of the mailbox apply to the owner')
  t.match(await owner.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: 60 } }, 'the browser has its own cooldown')
  clock.advance(60)
  t.equal((await owner.requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  t.match(await owner.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: HOUR - 120 } }, 'the browser has its own hourly limit')
  t.equal((await owner.requestOtp('other@example.com')).status, 200, 'an email that the cookie does not contain')
  clock.advance(60)
  t.equal((await owner.requestOtp('other@example.com')).status, 429, 'the public limits apply to any other email')
})

t.test('a request with the ID of an active challenge keeps the ID, resets its attempts and leaves the older code valid', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t)
  const anna = browser()
  const first = await anna.requestOtp('anna@example.com')
  const firstCode = codeFor('anna@example.com')
  await anna.verifyOtp('anna@example.com', wrongCode(firstCode))
  clock.advance(300)
  const second = await anna.requestOtp('anna@example.com')
  t.equal(second.body.request_id, first.body.request_id)
  const wrong = await anna.verifyOtp('anna@example.com', wrongCode(codeFor('anna@example.com')))
  t.equal(wrong.body.attemptsRemaining, 4)
  clock.advance(299)
  t.equal((await anna.verifyOtp('anna@example.com', firstCode)).status, 200, 'the first code is valid until its own expiry')
})

t.test('the code before the newest one is refused after its own expiry', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  const firstCode = codeFor('anna@example.com')
  clock.advance(300)
  await anna.requestOtp('anna@example.com')
  clock.advance(300)
  t.equal((await anna.verifyOtp('anna@example.com', firstCode)).status, 401)
  t.equal((await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))).status, 200)
})

t.test('a request ID that is unknown, expired, used or of another email is never adopted', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t)
  const planted = 'AAAAAAAAAAAAAAAAAAAAAA'
  const eve = browser('203.0.113.1')
  const evesOwn = (await eve.requestOtp('eve@example.com')).body.request_id
  const used = (await eve.requestOtp('used@example.com')).body.request_id
  await eve.verifyOtp('used@example.com', codeFor('used@example.com'), { request_id: used })
  const expired = (await eve.requestOtp('anna@example.com')).body.request_id
  clock.advance(600)

  for (const [position, id] of [planted, evesOwn, used, expired, '', 'x'.repeat(23), `${'x'.repeat(21)}%00`].entries()) {
    for (const by of ['body', 'cookie']) {
      const anna = browser()
      if (by === 'cookie') anna.cookies.set('__Host-otp_request', id)
      const email = `anna-${by}-${position}@example.com`
      const requested = await anna.requestOtp(email, by === 'body' ? { request_id: id } : {})
      t.equal(requested.status, 200)
      t.not(requested.body.request_id, id)
      t.match(requested.body.request_id, /^[\w-]{22}$/)
    }
  }
  const again = await browser().requestOtp('anna@example.com', { request_id: expired })
  t.not(again.body.request_id, expired)
})

t.test('a request ID that the server cannot have created is never looked up in storage', async (t) => {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { browser } = await buildApp(t, { storage })
  for (const id of ['', 'x'.repeat(21), 'x'.repeat(23), `${'x'.repeat(21)}%`]) {
    const anna = browser()
    await anna.requestOtp('anna@example.com', { request_id: id })
    await anna.verifyOtp('anna@example.com', '123456', { request_id: id })
  }
  t.notOk(calls.includes('renewChallenge') || calls.includes('tryCode'))
})

t.test('the request ID in the body wins over the one in the cookie', async (t) => {
  const { browser, clock } = await buildApp(t)
  const first = (await browser().requestOtp('anna@example.com')).body.request_id
  clock.advance(60)
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  clock.advance(60)
  t.equal((await anna.requestOtp('anna@example.com', { request_id: first })).body.request_id, first)
})

t.test('with autoCreateUser off, an unknown address gets the same response and no email', async (t) => {
  const { browser, clock, client, emails } = await buildApp(t, { autoCreateUser: false })
  client.prepare("insert into otp_users (id, email, is_verified) values ('1', 'anna@example.com', 1)").run()
  const known = await browser().requestOtp('anna@example.com')
  const unknown = await browser().requestOtp('nobody@example.com')
  const shape = ({ status, body, headers }: typeof known) => ({
    status, body: { ...body, request_id: null }, headers: Object.keys(headers).sort()
  })
  t.same(shape(unknown), shape(known))
  t.same(emails.map(({ email }) => email), ['anna@example.com'])
  for (const code of ['000000', '123456', '999999']) {
    t.equal((await browser().verifyOtp('nobody@example.com', code, { request_id: unknown.body.request_id })).status, 401)
  }
  clock.advance(59)
  t.match(await browser().requestOtp('nobody@example.com'), { status: 429, body: { retryAfter: 1 } })
})

t.test('no code opens a decoy, not even the code that was created with it', async (t) => {
  const random = { bytes: randomBytes, int: () => 123456 }
  const { browser, client } = await buildApp(t, { autoCreateUser: false, random })
  client.prepare("insert into otp_users (id, email, is_verified) values ('1', 'anna@example.com', 1)").run()
  for (const [email, status] of [['anna@example.com', 200], ['nobody@example.com', 401]] as const) {
    const user = browser()
    await user.requestOtp(email)
    const result = await user.verifyOtp(email, '123456')
    t.equal(result.status, status, email)
    if (status === 401) t.equal(result.body.attemptsRemaining, 4, 'the code was compared and was wrong')
  }
})

t.test('with autoCreateUser off, a user who is deleted after the request is not created again by the code', async (t) => {
  const { browser, client, codeFor } = await buildApp(t, { autoCreateUser: false })
  client.prepare("insert into otp_users (id, email, is_verified) values ('1', 'anna@example.com', 1)").run()
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  client.prepare('delete from otp_users').run()
  t.match(await anna.verifyOtp('anna@example.com', codeFor('anna@example.com')), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } })
  t.equal(client.prepare('select count(*) from otp_users').pluck().get(), 0)
})

t.test('isAllowed is called at each step, and a refused address gets the same responses and no email', async (t) => {
  const calls: string[] = []
  const banned = new Set(['eve@example.com'])
  const { browser, clock, emails, codeFor, client } = await buildApp(t, {
    isAllowed: ({ email, user, step }) => {
      calls.push(`${step} ${user === undefined ? 'stranger' : user.email}`)
      return !banned.has(email)
    }
  })
  t.equal((await browser().requestOtp('eve@example.com')).status, 200)
  t.same(emails, [])
  const anna = browser()
  await anna.login('anna@example.com', codeFor)
  t.same(calls, ['request stranger', 'request stranger', 'verify stranger'])
  t.equal((await anna.refresh()).status, 200)

  clock.advance(60)
  await anna.requestOtp('anna@example.com')
  banned.add('anna@example.com')
  t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
  t.match(await anna.verifyOtp('anna@example.com', codeFor('anna@example.com')), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } })
  t.same(calls.slice(3), ['refresh anna@example.com', 'request anna@example.com', 'refresh anna@example.com', 'verify anna@example.com'])
  t.equal(client.prepare('select count(*) from otp_sessions').pluck().get(), 1)
})

t.test('isAllowed refuses with every result other than true', async (t) => {
  for (const result of [undefined, null, 1, 'yes', {}]) {
    const { browser, emails } = await buildApp(t, { isAllowed: () => result as never })
    t.equal((await browser().requestOtp('anna@example.com')).status, 200)
    t.same(emails, [], String(result))
  }
})

t.test('no user is created before the address is verified', async (t) => {
  const { browser, client } = await buildApp(t)
  await browser().requestOtp('anna@example.com')
  t.equal(client.prepare('select count(*) from otp_users').pluck().get(), 0)
})

t.test('storage contains neither the code nor a plain hash of it', async (t) => {
  const { browser, client, codeFor } = await buildApp(t)
  await browser().requestOtp('anna@example.com')
  const { createHash } = await import('node:crypto')
  const code = codeFor('anna@example.com')
  const dump = JSON.stringify(['otp_challenges', 'otp_counters', 'otp_sessions', 'otp_users']
    .map((table) => client.prepare(`select * from ${table}`).all()))
  t.notMatch(dump, `"${code}"`)
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    t.notOk(dump.includes(createHash('sha256').update(code).digest(encoding)))
  }
})

t.test('a network that has reached its limit cannot prolong the cooldown of the mailbox with further requests', async (t) => {
  const { storage: real } = openStorage(t)
  const calls: Array<() => Promise<unknown>> = []
  const storage = withVerbs(real, {
    // The request of another user arrives between an increment and its release.
    decrementCounter: async (refund) => {
      await calls.shift()?.()
      return await real.decrementCounter(refund)
    }
  })
  const { browser, clock } = await buildApp(t, { storage })
  const stranger = browser('203.0.113.1')
  for (let count = 0; count < 3; count++) {
    t.equal((await stranger.requestOtp('anna@example.com')).status, 200)
    clock.advance(60)
  }
  let owner = 0
  const ask = async () => { owner = (await browser('198.51.100.1').requestOtp('anna@example.com')).status }
  calls.push(ask)
  t.equal((await stranger.requestOtp('anna@example.com')).status, 429)
  if (calls.length > 0) await ask()
  t.equal(owner, 200)
})

t.test('isAllowed refuses with a text, a number, an object, an array, a promise of a text or undefined', async (t) => {
  for (const result of ['yes', 1, {}, [true], Promise.resolve('no'), undefined]) {
    const { browser, emails } = await buildApp(t, { isAllowed: () => result as never })
    t.equal((await browser().requestOtp('anna@example.com')).status, 200)
    t.same(emails, [])
  }
})

t.test('the reserve opens exactly when the cooldown of the mailbox ends', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perHour: 100, perDay: 2, reservePerDay: 2 }, otpLength: 8 })
  const ask = (network: number) => browser(`10.0.${network}.1`).requestOtp('anna@example.com')
  await ask(1)
  clock.advance(60)
  t.equal((await ask(2)).status, 200, 'the last email of the daily limit')
  t.match(await ask(3), { status: 429 })
  clock.advance(59)
  t.match(await ask(3), { status: 429 })
  clock.advance(1)
  t.equal((await ask(3)).status, 200)
})

t.test('a network is new to a mailbox again one day after its last email to it, to the millisecond', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perHour: 100, perDay: 3, reservePerDay: 2 }, otpLength: 8 })
  const ask = async (network: number) => (await browser(`10.0.${network}.1`).requestOtp('anna@example.com')).status
  // The last email of one day, then all emails of the next.
  t.equal(await ask(1), 200)
  clock.advance(DAY - 60)
  t.equal(await ask(2), 200)
  clock.advance(60)
  for (const network of [3, 4, 5]) {
    t.equal(await ask(network), 200)
    clock.advance(60)
  }
  clock.advance(DAY - 60 - 180 - 0.001)
  t.equal(await ask(2), 429)
  clock.advance(0.001)
  t.equal(await ask(2), 200)
})

t.test('a network that the mailbox knows is never counted in the reserve, not even for a moment', async (t) => {
  const { storage: real } = openStorage(t)
  const incremented: string[] = []
  const storage = withVerbs(real, {
    incrementCounter: async (increment) => {
      incremented.push(increment.key)
      return await real.incrementCounter(increment)
    }
  })
  const { browser, clock } = await buildApp(t, { storage, sendLimits: { perHour: 100, perDay: 2, reservePerDay: 2 }, otpLength: 8 })
  const reserve = createCounterKeys('otp_auth').reserveOfMailbox('anna@example.com')
  const ask = async (network: number) => (await browser(`10.0.${network}.1`).requestOtp('anna@example.com')).status
  for (const [network, status] of [[1, 200], [2, 200], [1, 429]] as const) {
    t.equal(await ask(network), status)
    clock.advance(60)
  }
  t.notOk(incremented.includes(reserve))
  t.equal(await ask(3), 200)
  t.ok(incremented.includes(reserve))
})

t.test('if the cooldown is 0, every request is accepted, even if the clock of another server is ahead', async (t) => {
  const sendLimits = { perHour: 100, perDay: 2, reservePerDay: 2 }
  const { browser, clock } = await buildApp(t, { otpRateLimitSeconds: 0, sendLimits, otpLength: 8 })
  const ask = async (network: number) => (await browser(`10.0.${network}.1`).requestOtp('anna@example.com')).status
  for (const network of [1, 2]) t.equal(await ask(network), 200)
  clock.advance(-60)
  t.equal(await ask(1), 429, 'the daily limit is reached')
  t.equal(await ask(3), 200, 'the reserve is open')
})
