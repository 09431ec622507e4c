import { randomBytes } from 'node:crypto'
import t from 'tap'
import { buildApp, openStorage, withVerbs, wrongCode } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'
import { createCounterKeys } from '../../src/core/counter-keys.ts'

const HOUR = 3600
const DAY = 24 * HOUR

t.test('one mail in a cool-down: none after 59 seconds, one after 60, and the clicks between cost nothing', async (t) => {
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

t.test('plus tags everywhere, and dots at Gmail, are one mailbox but not one account', async (t) => {
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

t.test('one network sends three mails an hour to a mailbox, and its refusal gives the mailbox its budget back', async (t) => {
  const { browser, clock, emails } = await buildApp(t)
  for (const host of [1, 2, 3]) {
    t.equal((await browser(`192.0.2.${host}`).requestOtp('anna@example.com')).status, 200)
    clock.advance(60)
  }
  const refused = await browser('192.0.2.4').requestOtp('anna@example.com')
  t.match(refused, { status: 429, body: { retryAfter: HOUR - 180 } })
  const elsewhere = browser('198.51.100.1')
  t.equal((await elsewhere.requestOtp('anna@example.com')).status, 200, 'neither cool-down nor hour was used up by the refusal')
  clock.advance(60)
  t.equal((await elsewhere.requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  t.match(await elsewhere.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: HOUR - 300 } }, 'five in the hour')
  t.equal(emails.length, 5)
})

t.test('past the day of a mailbox, known networks wait and a network new to it draws on the reserve', async (t) => {
  const { browser, clock, emails, events } = await buildApp(t, { sendLimits: { perHour: 100, perDay: 4, reservePerDay: 2 }, otpLength: 8 })
  const ask = (network: number) => browser(`10.0.${network}.1`).requestOtp('anna@example.com')
  for (const network of [1, 1, 2, 2]) {
    t.equal((await ask(network)).status, 200)
    clock.advance(60)
  }
  const refused = await ask(1)
  t.match(refused, { status: 429, body: { retryAfter: DAY - 240 } })
  t.match(events.at(-1), { type: 'otp.refused', reason: 'send-limit' })
  t.equal((await ask(3)).status, 200, 'a network that had sent nothing')
  t.equal((await ask(4)).status, 429, 'the reserve has the cool-down, too')
  clock.advance(60)
  t.equal((await ask(3)).status, 429, 'it is known now')
  t.equal((await ask(4)).status, 200)
  clock.advance(60)
  t.equal((await ask(5)).status, 429, 'the reserve is spent')
  t.equal(emails.length, 6)

  clock.advance(DAY - 360)
  t.equal((await ask(1)).status, 200, 'the window began with its first mail')
})

t.test('the reserve is for a spent day alone: past the hour, or inside the cool-down, a network new to the mailbox waits, too', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perHour: 2 } })
  const ask = (network: number) => browser(`10.0.${network}.1`).requestOtp('anna@example.com')
  t.equal((await ask(1)).status, 200)
  t.match(await ask(2), { status: 429, body: { retryAfter: 60 } })
  clock.advance(60)
  t.equal((await ask(2)).status, 200)
  clock.advance(60)
  t.match(await ask(3), { status: 429, body: { retryAfter: HOUR - 120 } })
})

t.test('a refusal by the network gives back what was taken of the mailbox, also where its last mail went in between', async (t) => {
  const { storage: real } = openStorage(t)
  const between: Array<() => Promise<unknown>> = []
  const storage = withVerbs(real, {
    incrementCounter: async (take) => {
      await between.shift()?.()
      return await real.incrementCounter(take)
    }
  })
  const { browser } = await buildApp(t, { storage, otpRateLimitSeconds: 0, sendLimits: { perHour: 2, perNetworkPerHour: 1 }, otpLength: 8 })
  const ask = (ip: string) => browser(ip).requestOtp('anna@example.com')
  between.push(async () => t.equal((await ask('192.0.2.1')).status, 200))
  t.equal((await ask('192.0.2.2')).status, 429)
  t.equal((await ask('198.51.100.1')).status, 200)
  t.equal((await ask('203.0.113.1')).status, 429, 'two in the hour')
})

t.test('without trustProxy a forged X-Forwarded-For is no other network', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perNetworkPerHour: 1 } })
  const stranger = browser()
  const ask = (address: string) => stranger.post('/auth/request-otp', { email: 'anna@example.com' }, { 'x-forwarded-for': address })
  t.equal((await ask('10.0.1.1')).status, 200)
  clock.advance(60)
  t.equal((await ask('10.0.2.1')).status, 429)
})

t.test('without a reserve a spent day is spent for all', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perDay: 1, reservePerDay: 0 } })
  t.equal((await browser('10.0.1.1').requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  t.match(await browser('10.0.2.1').requestOtp('anna@example.com'), { status: 429, body: { retryAfter: DAY - 60 } })
})

t.test('a browser that has logged in before has send budgets of its own', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t, { sendLimits: { perDay: 1, reservePerDay: 0, perDevicePerHour: 2 } })
  const owner = browser()
  await owner.login('anna@example.com', codeFor)
  t.equal((await browser().requestOtp('anna@example.com')).status, 429)
  t.equal((await owner.requestOtp('anna@example.com')).status, 200, 'neither the mailbox nor its cool-down holds the owner up')
  t.match(await owner.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: 60 } }, 'the device has a cool-down')
  clock.advance(60)
  t.equal((await owner.requestOtp('anna@example.com')).status, 200)
  clock.advance(60)
  t.match(await owner.requestOtp('anna@example.com'), { status: 429, body: { retryAfter: HOUR - 120 } }, 'and an hour')
  t.equal((await owner.requestOtp('other@example.com')).status, 200, 'the cookie speaks for one subject')
  clock.advance(60)
  t.equal((await owner.requestOtp('other@example.com')).status, 429, 'for any other the public budgets hold')
})

t.test('a request that carries the id of a live challenge keeps it, starts its tries anew and leaves the older code good', async (t) => {
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
  t.equal((await anna.verifyOtp('anna@example.com', firstCode)).status, 200, 'the first code lives until its own expiry')
})

t.test('the code before the newest ends with its own expiry', async (t) => {
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

t.test('an id that is unknown, ended, consumed or of another subject is never adopted', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t)
  const planted = 'AAAAAAAAAAAAAAAAAAAAAA'
  const eve = browser('203.0.113.1')
  const evesOwn = (await eve.requestOtp('eve@example.com')).body.request_id
  const used = (await eve.requestOtp('used@example.com')).body.request_id
  await eve.verifyOtp('used@example.com', codeFor('used@example.com'), { request_id: used })
  const ended = (await eve.requestOtp('anna@example.com')).body.request_id
  clock.advance(600)

  for (const [position, id] of [planted, evesOwn, used, ended, '', 'x'.repeat(23), `${'x'.repeat(21)}%00`].entries()) {
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
  const again = await browser().requestOtp('anna@example.com', { request_id: ended })
  t.not(again.body.request_id, ended)
})

t.test('storage is not asked for an id that the server cannot have made', async (t) => {
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

t.test('the id in the body wins over the one in the cookie', async (t) => {
  const { browser, clock } = await buildApp(t)
  const first = (await browser().requestOtp('anna@example.com')).body.request_id
  clock.advance(60)
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  clock.advance(60)
  t.equal((await anna.requestOtp('anna@example.com', { request_id: first })).body.request_id, first)
})

t.test('with autoCreateUser off an unknown address gets the same answer and no mail', async (t) => {
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

t.test('no code opens a decoy, not even the one that was made with it', async (t) => {
  const random = { bytes: randomBytes, int: () => 123456 }
  const { browser, client } = await buildApp(t, { autoCreateUser: false, random })
  client.prepare("insert into otp_users (id, email, is_verified) values ('1', 'anna@example.com', 1)").run()
  for (const [email, status] of [['anna@example.com', 200], ['nobody@example.com', 401]] as const) {
    const asking = browser()
    await asking.requestOtp(email)
    const answer = await asking.verifyOtp(email, '123456')
    t.equal(answer.status, status, email)
    if (status === 401) t.equal(answer.body.attemptsRemaining, 4, 'it was compared and did not fit')
  }
})

t.test('a user who was deleted between request and proof is not made again with autoCreateUser off', async (t) => {
  const { browser, client, codeFor } = await buildApp(t, { autoCreateUser: false })
  client.prepare("insert into otp_users (id, email, is_verified) values ('1', 'anna@example.com', 1)").run()
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  client.prepare('delete from otp_users').run()
  t.match(await anna.verifyOtp('anna@example.com', codeFor('anna@example.com')), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } })
  t.equal(client.prepare('select count(*) from otp_users').pluck().get(), 0)
})

t.test('isAllowed is asked at each step; a refused address gets the same answers and no mail', async (t) => {
  const asked: string[] = []
  const banned = new Set(['eve@example.com'])
  const { browser, clock, emails, codeFor, client } = await buildApp(t, {
    isAllowed: ({ email, user, step }) => {
      asked.push(`${step} ${user === undefined ? 'stranger' : user.email}`)
      return !banned.has(email)
    }
  })
  t.equal((await browser().requestOtp('eve@example.com')).status, 200)
  t.same(emails, [])
  const anna = browser()
  await anna.login('anna@example.com', codeFor)
  t.same(asked, ['request stranger', 'request stranger', 'verify stranger'])
  t.equal((await anna.refresh()).status, 200)

  clock.advance(60)
  await anna.requestOtp('anna@example.com')
  banned.add('anna@example.com')
  t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
  t.match(await anna.verifyOtp('anna@example.com', codeFor('anna@example.com')), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } })
  t.same(asked.slice(3), ['refresh anna@example.com', 'request anna@example.com', 'refresh anna@example.com', 'verify anna@example.com'])
  t.equal(client.prepare('select count(*) from otp_sessions').pluck().get(), 1)
})

t.test('nothing but true from isAllowed lets anybody in', async (t) => {
  for (const answer of [undefined, null, 1, 'yes', {}]) {
    const { browser, emails } = await buildApp(t, { isAllowed: () => answer as never })
    t.equal((await browser().requestOtp('anna@example.com')).status, 200)
    t.same(emails, [], String(answer))
  }
})

t.test('no user is made before an address is proven', async (t) => {
  const { browser, client } = await buildApp(t)
  await browser().requestOtp('anna@example.com')
  t.equal(client.prepare('select count(*) from otp_users').pluck().get(), 0)
})

t.test('what is stored of a code is neither the code nor a bare hash of it', async (t) => {
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

t.test('a network that has had its share cannot hold the mailbox\'s cool-down by asking on', async (t) => {
  const { storage: real } = openStorage(t)
  const asked: Array<() => Promise<unknown>> = []
  const storage = withVerbs(real, {
    // Between a take and its return somebody else's request comes.
    decrementCounter: async (refund) => {
      await asked.shift()?.()
      return await real.decrementCounter(refund)
    }
  })
  const { browser, clock } = await buildApp(t, { storage })
  const stranger = browser('203.0.113.1')
  for (let mail = 0; mail < 3; mail++) {
    t.equal((await stranger.requestOtp('anna@example.com')).status, 200)
    clock.advance(60)
  }
  let owner = 0
  const ask = async () => { owner = (await browser('198.51.100.1').requestOtp('anna@example.com')).status }
  asked.push(ask)
  t.equal((await stranger.requestOtp('anna@example.com')).status, 429)
  if (asked.length > 0) await ask()
  t.equal(owner, 200)
})

t.test('nothing but true lets an address in: a promise that was forgotten, a text or an object is a refusal', async (t) => {
  for (const answer of ['yes', 1, {}, [true], Promise.resolve('no'), undefined]) {
    const { browser, emails } = await buildApp(t, { isAllowed: () => answer as never })
    t.equal((await browser().requestOtp('anna@example.com')).status, 200)
    t.same(emails, [])
  }
})

t.test('the reserve opens once the cool-down of the mailbox is over, and not before', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perHour: 100, perDay: 2, reservePerDay: 2 }, otpLength: 8 })
  const ask = (network: number) => browser(`10.0.${network}.1`).requestOtp('anna@example.com')
  await ask(1)
  clock.advance(60)
  t.equal((await ask(2)).status, 200, 'the last of the day')
  t.match(await ask(3), { status: 429 })
  clock.advance(59)
  t.match(await ask(3), { status: 429 })
  clock.advance(1)
  t.equal((await ask(3)).status, 200)
})

t.test('a network is new to a mailbox again a day after its last mail to it, to the millisecond', async (t) => {
  const { browser, clock } = await buildApp(t, { sendLimits: { perHour: 100, perDay: 3, reservePerDay: 2 }, otpLength: 8 })
  const ask = async (network: number) => (await browser(`10.0.${network}.1`).requestOtp('anna@example.com')).status
  // The last mail of a day, then all mails of the next.
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

t.test('a network that is known to the mailbox touches the reserve not even for a moment', async (t) => {
  const { storage: real } = openStorage(t)
  const taken: string[] = []
  const storage = withVerbs(real, {
    incrementCounter: async (take) => {
      taken.push(take.key)
      return await real.incrementCounter(take)
    }
  })
  const { browser, clock } = await buildApp(t, { storage, sendLimits: { perHour: 100, perDay: 2, reservePerDay: 2 }, otpLength: 8 })
  const reserve = createCounterKeys('otp_auth').reserveOfMailbox('anna@example.com')
  const ask = async (network: number) => (await browser(`10.0.${network}.1`).requestOtp('anna@example.com')).status
  for (const [network, status] of [[1, 200], [2, 200], [1, 429]] as const) {
    t.equal(await ask(network), status)
    clock.advance(60)
  }
  t.notOk(taken.includes(reserve))
  t.equal(await ask(3), 200)
  t.ok(taken.includes(reserve))
})

t.test('without a cool-down nobody waits for one, though the clock of another server is ahead', async (t) => {
  const sendLimits = { perHour: 100, perDay: 2, reservePerDay: 2 }
  const { browser, clock } = await buildApp(t, { otpRateLimitSeconds: 0, sendLimits, otpLength: 8 })
  const ask = async (network: number) => (await browser(`10.0.${network}.1`).requestOtp('anna@example.com')).status
  for (const network of [1, 2]) t.equal(await ask(network), 200)
  clock.advance(-60)
  t.equal(await ask(1), 429, 'the day is spent')
  t.equal(await ask(3), 200, 'and the reserve open')
})
