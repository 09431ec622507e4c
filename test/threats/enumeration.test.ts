import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp, openStorage } from '../helpers/app.ts'
import type { Answer, Browser } from '../helpers/browser.ts'
import { spyStorage } from '../helpers/spy-storage.ts'
import { countingRandom } from '../helpers/random.ts'
import { distance, distanceByChance, quantile, type Pair } from '../helpers/statistics.ts'

const EMAIL = 'anna@example.com'
const SHORT = '000007'
const LONG = '7777777777777'
const HOUR = 3600

/** Who the email can belong to. It is always the same email, because its length changes the length of the response. */
const people = {
  known: { row: { isVerified: 1 }, isAllowed: true },
  unverified: { row: { isVerified: 0 }, isAllowed: true },
  unknown: { row: null, isAllowed: true },
  disallowed: { row: { isVerified: 1 }, isAllowed: false },
  'disallowed and unknown': { row: null, isAllowed: false }
}
type Person = keyof typeof people

const everybody: Person[] = ['known', 'unverified', 'unknown', 'disallowed', 'disallowed and unknown']
const settings: Record<string, { options: Partial<OtpAuthOptions>, alike: Person[], emailed: Person[], usesIsAllowed?: boolean }> = {
  'if every email gets a code': { options: {}, alike: ['known', 'unverified', 'unknown'], emailed: ['known', 'unverified', 'unknown'] },
  'with autoCreateUser off': { options: { autoCreateUser: false }, alike: ['known', 'unverified', 'unknown'], emailed: ['known', 'unverified'] },
  'with isAllowed': { options: {}, alike: everybody, emailed: ['known', 'unverified', 'unknown'], usesIsAllowed: true },
  'with isAllowed and autoCreateUser off': {
    options: { autoCreateUser: false }, alike: everybody, emailed: ['known', 'unverified'], usesIsAllowed: true
  },
  'with onFailureLimit set to refuse': {
    options: { autoCreateUser: false, onFailureLimit: 'refuse' }, alike: ['known', 'unknown'], emailed: ['known']
  },
  'with requireRequestId': { options: { autoCreateUser: false, requireRequestId: true }, alike: ['known', 'unknown'], emailed: ['known'] }
}

/** Everything that a client sees of a response, and the storage calls behind it. Random values are replaced by their length. */
function seen ({ status, body, headers, setCookies }: Answer, calls: string[], asked: { bytes: number[], int: number[] }) {
  return {
    status,
    body: 'request_id' in body ? { ...body, request_id: body.request_id.length } : body,
    headers: Object.entries(headers).filter(([name]) => name !== 'set-cookie' && name !== 'date'),
    setCookies: setCookies.map((line) => line.replace(/=([^;]*)/, (_, value: string) => `=<${value.length}>`)),
    calls: calls.splice(0),
    asked: { bytes: asked.bytes.splice(0), int: asked.int.splice(0) }
  }
}

/** Does, step by step, everything that an attacker can try with an email without reading its inbox. */
async function watch (t: Test, person: Person, { options, usesIsAllowed }: (typeof settings)[string]) {
  const { client, storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { row, isAllowed } = people[person]
  // Every code consists of fives.
  const random = countingRandom(() => 5)
  if (row !== null) client.prepare('insert into otp_users values (?, ?, ?)').run('id-1', EMAIL, row.isVerified)
  const { browser, clock, emails } = await buildApp(t, {
    storage,
    ...options,
    // These are thousands of requests. The tests of each route search the log for secrets, so there is no log here.
    fastify: { logger: false },
    ...(usesIsAllowed && { isAllowed: () => isAllowed }),
    random
  })
  calls.length = 0
  const steps: Array<[step: string, ReturnType<typeof seen>]> = []
  let network = 0
  const stranger = (): Browser => browser(`10.0.${++network}.1`)
  async function step (name: string, answering: Promise<Answer>): Promise<Answer> {
    const answer = await answering
    steps.push([name, seen(answer, calls, random.asked)])
    return answer
  }

  const first = stranger()
  const { body: { request_id: id } } = await step('request', first.requestOtp(EMAIL))
  await step('request within the cooldown', first.requestOtp(EMAIL))
  await step('request within the cooldown, from another network', stranger().requestOtp(EMAIL))
  await step('wrong code', first.verifyOtp(EMAIL, SHORT))
  await step('wrong code with the request ID in the body', stranger().verifyOtp(EMAIL, SHORT, { request_id: id }))
  await step('code of another length', first.verifyOtp(EMAIL, '1234567'))
  await step('wrong code without the request ID', stranger().verifyOtp(EMAIL, SHORT))
  await step('code of another length without the request ID', stranger().verifyOtp(EMAIL, '1234567'))
  await step('wrong code with an unknown request ID', stranger().verifyOtp(EMAIL, SHORT, { request_id: 'x'.repeat(22) }))
  for (let guess = 0; guess < 4; guess++) await step('wrong codes until no attempts are left', first.verifyOtp(EMAIL, SHORT))
  for (let guess = 0; guess < 6; guess++) await step('wrong codes without the request ID until no attempts are left', stranger().verifyOtp(EMAIL, SHORT))
  clock.advance(60)
  await step('another request of the same browser', first.requestOtp(EMAIL))
  await step('wrong code after the new request', first.verifyOtp(EMAIL, SHORT))
  clock.advance(600)
  await step('wrong code after the code has expired', first.verifyOtp(EMAIL, SHORT))
  await step('wrong code after the code has expired, without the request ID', stranger().verifyOtp(EMAIL, SHORT))
  for (let click = 0; click < 3; click++) {
    await step('requests from one network until its limit is reached', first.requestOtp(EMAIL))
    clock.advance(60)
  }
  for (let click = 0; click < 5; click++) {
    await step('requests from many networks until the limit per hour is reached', stranger().requestOtp(EMAIL))
    clock.advance(60)
  }
  const guesser = stranger()
  for (let code = 0; code < 6; code++) {
    clock.advance(HOUR)
    await step('requests until the failure limit per day is reached', guesser.requestOtp(EMAIL))
    for (let guess = 0; guess < 5; guess++) await step('wrong codes until the failure limit per day is reached', guesser.verifyOtp(EMAIL, SHORT))
  }
  await step('short code without the request ID, after the failure limit', stranger().verifyOtp(EMAIL, SHORT))
  await step('long code without the request ID, after the failure limit', stranger().verifyOtp(EMAIL, LONG))
  await step('long code, after the failure limit', guesser.verifyOtp(EMAIL, LONG))
  for (let click = 0; click < 14; click++) {
    clock.advance(61)
    await step('requests from new networks until the limit per day and the reserve are reached', stranger().requestOtp(EMAIL))
  }
  return { steps, emails }
}

for (const [condition, setting] of Object.entries(settings)) {
  t.test(`responses, headers, cookies and storage calls do not reveal whether an account exists, ${condition}`, async (t) => {
    const { steps: expected, emails } = await watch(t, 'known', setting)
    t.ok(emails.length > 0, 'the known user gets emails')
    const statuses = new Set(expected.map(([, { status }]) => status))
    t.same([...statuses].toSorted(), [200, 401, 429], 'the steps reach every status')
    for (const person of setting.alike) {
      const { steps, emails: theirs } = await watch(t, person, setting)
      t.equal(theirs.length, setting.emailed.includes(person) ? emails.length : 0, `${person}: emails`)
      t.strictSame(steps, expected, `${person}: everything is the same`)
    }
  })
}

t.test('with autoCreateUser off, the response is sent before the email', async (t) => {
  let finish = () => {}
  let isOut = false
  const { browser, client, emails } = await buildApp(t, {
    autoCreateUser: false,
    sendOtp: async () => {
      await new Promise<void>((resolve) => { finish = resolve })
      isOut = true
    }
  })
  client.prepare('insert into otp_users values (?, ?, ?)').run('id-1', EMAIL, 1)
  t.equal((await browser().requestOtp(EMAIL)).status, 200)
  while (emails.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(isOut, false)
  finish()
})

const PAIRS = 300
/** A smaller difference cannot be seen through a network. Reading a row that exists costs the driver a few microseconds. */
const SHARE = 0.05

/**
 * Measures how many milliseconds the server takes, from the request until the response is ready. An email without an account
 * and one with an account are measured right after each other, in random order. For comparison, so are two emails with
 * an account. Work after the response is not measured, because a client cannot see it. Each email is new.
 */
async function timings (t: Test, pairs: number) {
  let began = 0
  let took = 0
  const { app, client } = await buildApp(t, {
    autoCreateUser: false,
    fastify: { logger: false },
    before: (app) => {
      app.addHook('onRequest', async () => { began = performance.now() })
      app.addHook('onSend', async () => { took = performance.now() - began })
    }
  })
  const insert = client.prepare('insert into otp_users values (?, ?, 1)')
  async function measure (route: string, email: string, number: number): Promise<number> {
    // Let the work of the previous request finish.
    await new Promise((resolve) => { setImmediate(resolve) })
    const payload = { email, ...(route === 'verify-otp' && { code: '123456' }) }
    const { statusCode } = await app.inject({ method: 'POST', url: `/auth/${route}`, payload, remoteAddress: `10.${number >> 8}.${number & 255}.1` })
    if (statusCode !== (route === 'verify-otp' ? 401 : 200)) throw new Error(`${route} answered ${statusCode}`)
    return took
  }
  async function measurePair (route: string, emails: readonly [string, string], number: number): Promise<Pair> {
    if (Math.random() < 0.5) return [await measure(route, emails[0], number), await measure(route, emails[1], number + 1)]
    const second = await measure(route, emails[1], number + 1)
    return [await measure(route, emails[0], number), second]
  }

  const measured = { 'request-otp': { unknown: [] as Pair[], known: [] as Pair[] }, 'verify-otp': { unknown: [] as Pair[], known: [] as Pair[] } }
  for (let number = -20; number < pairs; number++) {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => `${name}${number}@example.com`) as [string, string, string, string]
    for (const email of [a, b, c]) insert.run(email, email)
    for (const [route, { unknown, known }] of Object.entries(measured)) {
      const position = (number + 20) * 4
      const withUnknown = await measurePair(route, [d, a], position)
      const withKnown = await measurePair(route, [b, c], position + 2)
      // The first ones only warm up the compiler and the prepared statements.
      if (number < 0) continue
      unknown.push(withUnknown)
      known.push(withKnown)
    }
  }
  return measured
}

function us (milliseconds: number): string {
  return `${Math.round(milliseconds * 1000)} µs`
}

// No speed is promised, only that the time reveals nothing. A busy machine can hide a difference, but it cannot create one.
t.test('the response time does not reveal whether an account exists', async (t) => {
  for (const [route, { unknown, known }] of Object.entries(await timings(t, PAIRS))) {
    // Compare the median and the fast ones. Other work of the machine only adds time, so fast ones show a difference best.
    for (const share of [0.5, 0.2]) {
      const seen = distance(unknown, share)
      const usual = quantile(known.flat(), share)
      const noise = Math.max(SHARE * usual, distance(known, share), 1.25 * distanceByChance(unknown, share))
      t.ok(seen <= noise, `${route}: the difference is ${us(seen)} of ${us(usual)} at quantile ${share}; up to ${us(noise)} is noise`)
    }
  }
})
