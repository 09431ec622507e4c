import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import otpAuth, { type OtpAuthOptions, type RateLimitOptions, type RateLimitStore } from '../../src/index.ts'
import { MemoryStore } from '../../src/ip-limits/stores.ts'
import { buildApp } from '../helpers/app.ts'
import type { Answer, Browser } from '../helpers/browser.ts'
import { cutProxy } from '../helpers/cut-proxy.ts'
import { addInstance } from '../helpers/instances.ts'
import { logged } from '../helpers/log.ts'
import { required } from '../helpers/options.ts'

const ANNA = 'anna@example.com'
const URL_OF_REDIS = process.env['TEST_REDIS_URL']
const skip = URL_OF_REDIS === undefined ? 'TEST_REDIS_URL is not set' : false

type Incr = RateLimitStore['incr']

/** A class as a host writes it, whose instances all count in one place. */
const storeOf = (incr: Incr) => class implements RateLimitStore { incr = incr; child () { return this } }

function counting () {
  const counts = new Map<string, number>()
  const asked = new Map<string, number[]>()
  const incr: Incr = (key, done, timeWindow, max) => {
    counts.set(key, (counts.get(key) ?? 0) + 1)
    asked.set(key, [max, timeWindow])
    done(null, { current: counts.get(key)!, ttl: timeWindow })
  }
  return { asked, incr }
}

const everyRoute = (browser: Browser): Record<string, () => Promise<Answer>> => ({
  'request-otp': () => browser.requestOtp(ANNA),
  'verify-otp': () => browser.verifyOtp(ANNA, '123456'),
  refresh: () => browser.refresh(),
  logout: () => browser.logout()
})

/** Every route answers 503 and takes no cookie away; who is logged in stays so. */
async function failsClosed (t: Test, anna: Browser, token: string, how: string): Promise<void> {
  const jar = [...anna.cookies]
  for (const [route, send] of Object.entries(everyRoute(anna))) {
    t.match(await send(), {
      status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' }, setCookies: { length: 0 }, headers: { 'cache-control': 'no-store' }
    }, `${how}: ${route}`)
  }
  t.strictSame([...anna.cookies], jar)
  t.equal((await anna.get('/me', token)).status, 200, `${how}: no guard asks the store`)
}

t.test('a store of the host\'s own keeps the counts, apart for each instance and route, together for all processes', async (t) => {
  const { asked, incr } = counting()
  const rateLimit = { store: storeOf(incr), logout: { max: 3 } }
  const build = () => buildApp(t, {
    rateLimit,
    after: (app) => app.register(async (admin) => { await addInstance(t, admin, { name: 'admin', prefix: '/admin', rateLimit }) })
  })
  const [one, other] = [(await build()).browser('2001:db8::1'), (await build()).browser('2001:db8::2')]
  for (const send of Object.values(everyRoute(one))) await send()
  await one.post('/admin/logout')
  t.strictSame(Object.fromEntries(asked), {
    'otp_auth:requestOtp:2001:db8:0:0::/64': [60, 600_000],
    'otp_auth:verifyOtp:2001:db8:0:0::/64': [120, 600_000],
    'otp_auth:refresh:2001:db8:0:0::/64': [600, 600_000],
    'otp_auth:logout:2001:db8:0:0::/64': [3, 600_000],
    'admin:logout:2001:db8:0:0::/64': [3, 600_000]
  })
  const answers = [await other.logout(), await one.logout(), await other.logout(), await one.logout()]
  t.strictSame(answers.map(({ status }) => status), [200, 200, 429, 429])
})

t.test('a store that fails, throws or hangs is 503 in bounded time, and all works once it is back', async (t) => {
  const { incr } = counting()
  const failures: Record<string, Incr> = {
    fails: (key, done) => done(Object.assign(new Error('the store is gone'), { command: { args: [key] } })),
    throws: () => { throw new Error('the store throws') },
    rejects: (async () => { throw new Error('the store rejects') }) as unknown as Incr,
    'rejects with nothing': (() => Promise.reject()) as unknown as Incr, // eslint-disable-line prefer-promise-reject-errors
    hangs: () => {},
    'answers nothing': (_key, done) => done(null),
    'answers no numbers': (_key, done) => done(null, {} as never),
    'answers no count': (_key, done) => done(null, { current: NaN, ttl: 1000 }),
    'answers no time': (_key, done) => done(null, { current: 1 } as never)
  }
  let current = incr
  const { browser, codeFor, emails } = await buildApp(t, {
    rateLimit: { store: storeOf((...input) => current(...input)), timeout: 0.05 }
  })
  const anna = browser('198.51.100.66')
  const token = await anna.login(ANNA, codeFor)
  for (const [how, failing] of Object.entries(failures)) {
    current = failing
    await failsClosed(t, anna, token, how)
  }
  t.equal(emails.length, 1, 'no mail went out')
  const reasons = 'is gone|throws|rejects|did not respond within 50 ms|rateLimit.store (rejected|must call its callback with the numbers current and ttl)'
  const said = logged(new RegExp(`(${reasons}).*OTP_AUTH_STORAGE_UNAVAILABLE`))
  t.equal(said.length, 4 * Object.keys(failures).length, 'the log says why')
  t.notMatch(said.join(), /otp_auth:\w+:198/, 'and quotes no key')
  current = incr
  t.equal((await anna.refresh()).status, 200)
  t.equal((await anna.logout()).status, 200)
})

t.test('a class whose objects cannot count is refused at boot', async (t) => {
  for (const store of [class {}, class { increment () {} }, class { incr = 1 }]) {
    const app = Fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => await app.register(otpAuth, { ...required(), rateLimit: { store: store as never } }), {
      code: 'OTP_AUTH_INVALID_OPTION', message: /rateLimit\.store must be a class whose objects have the method incr/
    })
  }
})

t.test('in memory the last 50,000 windows of a limit are kept, and no more than twice as many', async (t) => {
  // By hand, for `t.intercept` keeps every call.
  const system = Date.now
  let now = 1_790_000_000_000
  t.teardown(() => { Date.now = system })
  Date.now = () => now
  const store = new MemoryStore()
  const count = (key: number) => {
    let counted = 0
    store.incr(`${key}`, (_error, result) => { counted = result!.current }, 1000, 1)
    return counted
  }
  const twice: number[] = []
  for (let key = 0; key < 100_000; key++) if (count(key) !== 1) twice.push(key)
  t.strictSame(twice, [])
  t.strictSame([count(0), count(49_999), count(50_000), count(99_999)], [2, 2, 2, 2], 'all of them are there')
  t.equal(count(100_000), 1)
  t.strictSame([count(50_000), count(99_999)], [3, 3], 'the last 50,000')
  t.strictSame([count(0), count(49_999)], [1, 1], 'those before are forgotten')

  now += 999
  t.strictSame([count(99_999), count(100_000)], [4, 2])
  now += 1
  t.strictSame([count(99_999), count(100_000)], [1, 1], 'over')
  now += 999
  t.strictSame([count(99_999), count(100_000)], [2, 2], 'in the window that began when the last was over')
})

t.test('on Redis', { skip }, async (t) => {
  /** A host's own client, as the README advises. */
  function connect (t: Test, url = URL_OF_REDIS!): Redis {
    const redis = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: 500 })
    redis.on('error', () => {})
    t.teardown(() => { redis.disconnect() })
    return redis
  }
  const build = (t: Test, name: string, limits: RateLimitOptions, more: Partial<OtpAuthOptions> = {}) =>
    buildApp(t, { name, rateLimit: limits, ...more })
  const freshName = () => randomUUID().slice(0, 8)

  await t.test('one limit for all processes, exact when they are asked at once', async (t) => {
    const name = freshName()
    const redis = connect(t)
    t.teardown(async () => { await redis.del(await redis.keys(`*${name}*`)) })
    const logout = { max: 20 }
    const browsers = [
      (await build(t, name, { redis, logout })).browser(),
      (await build(t, name, { redis: connect(t), logout })).browser(),
    ]
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => browsers[n % 2]!.logout()))
    t.equal(answers.filter(({ status }) => status === 200).length, 20)
    const refused = answers.filter(({ status }) => status === 429)
    t.equal(refused.length, 40)
    t.ok(refused.every(({ body, headers }) => headers['retry-after'] === String(body.retryAfter) && body.retryAfter <= 600 && body.retryAfter > 500))
    t.equal((await browsers[0]!.refresh()).status, 401, 'another route counts apart')
    const namesake = await build(t, `${name}2`, { redis, logout })
    t.equal((await namesake.browser().logout()).status, 200, 'another instance counts apart')
    t.strictSame((await redis.keys(`*${name}*`)).sort(), [
      `fastify-rate-limit-${name}2:logout:192.0.2.1`, `fastify-rate-limit-${name}:logout:192.0.2.1`, `fastify-rate-limit-${name}:refresh:192.0.2.1`
    ].sort())
    const left = await redis.pttl(`fastify-rate-limit-${name}:logout:192.0.2.1`)
    t.ok(left > 500_000 && left <= 600_000, 'the count ends with its window')
  })

  await t.test('a command of the host\'s own that is called like one of @fastify/rate-limit\'s is not taken for it', async (t) => {
    const name = freshName()
    const redis = connect(t)
    t.teardown(async () => { await redis.del(await redis.keys(`*${name}*`)) })
    for (const command of ['rateLimit', 'rateLimitRead']) redis.defineCommand(command, { numberOfKeys: 1, lua: 'return 1' })
    const { browser } = await build(t, name, { redis, logout: { max: 2 } })
    const seen: number[] = []
    for (let n = 0; n < 3; n++) seen.push((await browser().logout()).status)
    t.strictSame(seen, [200, 200, 429])
    t.equal(await (redis as never as { rateLimit (key: string): Promise<number> }).rateLimit('key'), 1, 'and the host\'s is left alone')
  })

  await t.test('stopped or silent it is 503, and all works once it is back', async (t) => {
    const name = freshName()
    const direct = connect(t)
    t.teardown(async () => { await direct.del(await direct.keys(`*${name}*`)) })
    const { hostname, port } = new URL(URL_OF_REDIS!)
    const proxy = await cutProxy(t, hostname, Number(port || 6379))
    const { browser, codeFor } = await build(t, name, { redis: connect(t, `redis://127.0.0.1:${proxy.port}`) })
    const anna = browser()
    const token = await anna.login(ANNA, codeFor)

    proxy.hang()
    await failsClosed(t, anna, token, 'silent')
    await proxy.restore()
    await proxy.cut()
    await failsClosed(t, anna, token, 'stopped')
    await proxy.restore()
    let answer: Answer
    do answer = await anna.logout()
    while (answer.status === 503)
    t.equal(answer.status, 200)
  })
})
