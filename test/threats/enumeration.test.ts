import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp, openStorage } from '../helpers/app.ts'
import type { Answer, Browser } from '../helpers/browser.ts'
import { spyStorage } from '../helpers/spy-storage.ts'
import { countingRandom } from '../helpers/random.ts'
import { distance, distanceByChance, quantile, type Pair } from '../helpers/statistics.ts'

const MAIL = 'anna@example.com'
const SHORT = '000007'
const LONG = '7777777777777'
const HOUR = 3600

/** Whom an address may belong to; the address is the same, for its length alone would change an answer's. */
const people = {
  known: { row: { isVerified: 1 }, isAllowed: true },
  unverified: { row: { isVerified: 0 }, isAllowed: true },
  unknown: { row: null, isAllowed: true },
  disallowed: { row: { isVerified: 1 }, isAllowed: false },
  'disallowed and unknown': { row: null, isAllowed: false }
}
type Person = keyof typeof people

const everybody: Person[] = ['known', 'unverified', 'unknown', 'disallowed', 'disallowed and unknown']
const settings: Record<string, { options: Partial<OtpAuthOptions>, alike: Person[], mailed: Person[], asksHost?: boolean }> = {
  'where everybody is mailed': { options: {}, alike: ['known', 'unverified', 'unknown'], mailed: ['known', 'unverified', 'unknown'] },
  'where users are not made': { options: { autoCreateUser: false }, alike: ['known', 'unverified', 'unknown'], mailed: ['known', 'unverified'] },
  'where the host asks who may': { options: {}, alike: everybody, mailed: ['known', 'unverified', 'unknown'], asksHost: true },
  'where the host asks and users are not made': {
    options: { autoCreateUser: false }, alike: everybody, mailed: ['known', 'unverified'], asksHost: true
  },
  'where a spent failure budget means no codes': {
    options: { autoCreateUser: false, onFailureLimit: 'refuse' }, alike: ['known', 'unknown'], mailed: ['known']
  },
  'where guesses need their id': { options: { autoCreateUser: false, requireRequestId: true }, alike: ['known', 'unknown'], mailed: ['known'] }
}

/** All that somebody sees of an answer, and what was done for it; what is random in it by its length alone. */
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

/** Everything that somebody can try with an address who never sees its mails, step by step. */
async function watch (t: Test, person: Person, { options, asksHost }: (typeof settings)[string]) {
  const { client, storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { row, isAllowed } = people[person]
  // Every code is of fives.
  const random = countingRandom(() => 5)
  if (row !== null) client.prepare('insert into otp_users values (?, ?, ?)').run('id-1', MAIL, row.isVerified)
  const { browser, clock, emails } = await buildApp(t, {
    storage,
    ...options,
    // Some thousand requests: what they log is searched for secrets by the tests of each route.
    fastify: { logger: false },
    ...(asksHost && { isAllowed: () => isAllowed }),
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
  const { body: { request_id: id } } = await step('request', first.requestOtp(MAIL))
  await step('request within the cool-down', first.requestOtp(MAIL))
  await step('request within the cool-down, from elsewhere', stranger().requestOtp(MAIL))
  await step('wrong code', first.verifyOtp(MAIL, SHORT))
  await step('wrong code with the id in the body', stranger().verifyOtp(MAIL, SHORT, { request_id: id }))
  await step('code of another length', first.verifyOtp(MAIL, '1234567'))
  await step('wrong code without the id', stranger().verifyOtp(MAIL, SHORT))
  await step('code of another length without the id', stranger().verifyOtp(MAIL, '1234567'))
  await step('wrong code with an id of nobody', stranger().verifyOtp(MAIL, SHORT, { request_id: 'x'.repeat(22) }))
  for (let guess = 0; guess < 4; guess++) await step('wrong codes until none is taken', first.verifyOtp(MAIL, SHORT))
  for (let guess = 0; guess < 6; guess++) await step('wrong codes without the id until none is taken', stranger().verifyOtp(MAIL, SHORT))
  clock.advance(60)
  await step('request of the same browser again', first.requestOtp(MAIL))
  await step('wrong code after it', first.verifyOtp(MAIL, SHORT))
  clock.advance(600)
  await step('wrong code after its end', first.verifyOtp(MAIL, SHORT))
  await step('wrong code after its end, without the id', stranger().verifyOtp(MAIL, SHORT))
  for (let click = 0; click < 3; click++) {
    await step('requests of one network until its share is spent', first.requestOtp(MAIL))
    clock.advance(60)
  }
  for (let click = 0; click < 5; click++) {
    await step('requests of many networks until the hour is spent', stranger().requestOtp(MAIL))
    clock.advance(60)
  }
  const guesser = stranger()
  for (let code = 0; code < 6; code++) {
    clock.advance(HOUR)
    await step('requests until the failures of a day are spent', guesser.requestOtp(MAIL))
    for (let guess = 0; guess < 5; guess++) await step('wrong codes until the failures of a day are spent', guesser.verifyOtp(MAIL, SHORT))
  }
  await step('short code without the id, once they are spent', stranger().verifyOtp(MAIL, SHORT))
  await step('long code without the id, once they are spent', stranger().verifyOtp(MAIL, LONG))
  await step('long code, once they are spent', guesser.verifyOtp(MAIL, LONG))
  for (let click = 0; click < 14; click++) {
    clock.advance(61)
    await step('requests of new networks until day and reserve are spent', stranger().requestOtp(MAIL))
  }
  return { steps, emails }
}

for (const [where, setting] of Object.entries(settings)) {
  t.test(`whose an address is cannot be told by answers, headers, cookies or statements, ${where}`, async (t) => {
    const { steps: expected, emails } = await watch(t, 'known', setting)
    t.ok(emails.length > 0, 'the known one is mailed')
    const statuses = new Set(expected.map(([, { status }]) => status))
    t.same([...statuses].toSorted(), [200, 401, 429], 'the steps lead everywhere')
    for (const person of setting.alike) {
      const { steps, emails: theirs } = await watch(t, person, setting)
      t.equal(theirs.length, setting.mailed.includes(person) ? emails.length : 0, `${person}: emails`)
      t.strictSame(steps, expected, `${person}: what is seen`)
    }
  })
}

t.test('where users are not made, the answer comes before the mail is out', async (t) => {
  let finish = () => {}
  let isOut = false
  const { browser, client, emails } = await buildApp(t, {
    autoCreateUser: false,
    sendOtp: async () => {
      await new Promise<void>((resolve) => { finish = resolve })
      isOut = true
    }
  })
  client.prepare('insert into otp_users values (?, ?, ?)').run('id-1', MAIL, 1)
  t.equal((await browser().requestOtp(MAIL)).status, 200)
  while (emails.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(isOut, false)
  finish()
})

const PAIRS = 300
/** A smaller difference is nobody's to see through a network: a row that is found costs the driver some microseconds. */
const SHARE = 0.05

/**
 * What the server takes, in milliseconds, for an address without an account and one with, in pairs one right after the
 * other and in random order; and for two with one. From where the request is there to where its answer is ready: what
 * follows the answer, nobody sees. Each address is a new one.
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
    // What the one before left to be done is done.
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
      const place = (number + 20) * 4
      const withUnknown = await measurePair(route, [d, a], place)
      const withKnown = await measurePair(route, [b, c], place + 2)
      // The first ones warm up what compiles and what is prepared.
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

// Speed is promised nowhere; that it tells nothing is. A busy machine makes this see less, and never what is not there.
t.test('whose an address is cannot be told by the time of the answer', async (t) => {
  for (const [route, { unknown, known }] of Object.entries(await timings(t, PAIRS))) {
    // The median, and the fast ones: whatever else the machine does only adds to a time, so they show a difference best.
    for (const share of [0.5, 0.2]) {
      const seen = distance(unknown, share)
      const usual = quantile(known.flat(), share)
      const meaningless = Math.max(SHARE * usual, distance(known, share), 1.25 * distanceByChance(unknown, share))
      t.ok(seen <= meaningless, `${route}: ${us(seen)} of ${us(usual)} at ${share}, where ${us(meaningless)} mean nothing`)
    }
  }
})
