import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildApp, openStorage, wrongCode } from '../helpers/app.ts'
import type { Answer } from '../helpers/browser.ts'
import { addInstance } from '../helpers/instances.ts'
import { logged } from '../helpers/log.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const ANNA = 'anna@example.com'
const PATHS = { requestOtp: '/auth/request-otp', verifyOtp: '/auth/verify-otp', refresh: '/auth/refresh', logout: '/auth/logout' } as const
const TWO = { max: 2 }

/** An application whose storage calls are recorded. */
async function buildSpied (t: Test, options: Parameters<typeof buildApp>[1] = {}) {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  return { ...await buildApp(t, { storage, ...options }), calls }
}

/** Refused by a limit: the response has our error and `Retry-After`, and no other header about the limit. */
function limited (t: Test, answer: Answer, retryAfter: number, comment: string): void {
  const message = `Too many requests. Try again in ${retryAfter} seconds`
  t.match(answer, {
    status: 429,
    setCookies: { length: 0 },
    headers: { 'retry-after': String(retryAfter), 'cache-control': 'no-store' }
  }, comment)
  t.strictSame(answer.body, {
    statusCode: 429, code: 'OTP_AUTH_TOO_MANY_REQUESTS', error: 'Too Many Requests', message, detail: message, retryAfter
  }, comment)
  t.strictSame(Object.keys(answer.headers).filter((name) => /ratelimit/.test(name)), [], `${comment}: no other header`)
}

async function statuses (times: number, send: (position: number) => Promise<Answer>): Promise<number[]> {
  const seen: number[] = []
  for (let position = 0; position < times; position++) seen.push((await send(position)).status)
  return seen
}

t.test('each route accepts max requests of one IP address per window, and refuses the next one before any storage call', async (t) => {
  let now = Date.now()
  t.intercept(Date, 'now', { value: () => now })
  const { browser, calls } = await buildSpied(t, { rateLimit: { verifyOtp: { max: 5 }, refresh: { max: 7 }, logout: { max: 3 } } })
  const stranger = browser('198.51.100.7')
  for (const [name, max] of Object.entries({ requestOtp: 60, verifyOtp: 5, refresh: 7, logout: 3 })) {
    const path = PATHS[name as keyof typeof PATHS]
    const admitted = await statuses(max, () => stranger.post(path))
    t.notOk(admitted.includes(429), `${name}: ${max} are accepted, whatever the response is`)
    calls.length = 0
    limited(t, await stranger.post(path), 600, name)
    t.strictSame(calls, [], `${name}: storage is not called`)
    t.not((await browser('198.51.100.8').post(path)).status, 429, `${name}: the next address has its own limit`)
  }

  now += 599_001
  for (const path of Object.values(PATHS)) limited(t, await stranger.post(path), 1, `${path} in the last second`)
  now += 999
  for (const path of Object.values(PATHS)) t.not((await stranger.post(path)).status, 429, `${path} after the window has ended`)
})

t.test('of parallel requests, exactly as many as the limit allows are accepted', async (t) => {
  const { browser, events } = await buildApp(t, { rateLimit: { logout: { max: 60 } } })
  const answers = await Promise.all(Array.from({ length: 100 }, () => browser().logout()))
  t.equal(answers.filter(({ status }) => status === 200).length, 60)
  t.equal(answers.filter(({ status }) => status === 429).length, 40)
  t.strictSame(events, [{ type: 'ip-limit.reached', route: 'logout' }])
})

t.test('a clock that is set back does not make a window longer', async (t) => {
  let now = Date.now()
  t.intercept(Date, 'now', { value: () => now })
  const { browser } = await buildApp(t, { rateLimit: { logout: TWO } })
  t.strictSame(await statuses(3, () => browser().logout()), [200, 200, 429])
  now -= 3_600_000
  t.strictSame(await statuses(3, () => browser().logout()), [200, 200, 429], 'a new window begins')
  limited(t, await browser().logout(), 600, 'it has the same length')
})

t.test('40 addresses of one IPv6 /64 share one limit, and so do an IPv4 address and its mapped forms', async (t) => {
  const { browser } = await buildApp(t, { rateLimit: { logout: { max: 40 } } })
  t.strictSame(new Set(await statuses(40, (n) => browser(`2001:db8:0:1:${n.toString(16)}::1`).logout())), new Set([200]))
  limited(t, await browser('2001:db8:0:1:ffff:ffff:ffff:ffff').logout(), 600, 'the 41st address')
  t.equal((await browser('2001:db8:0:2::1').logout()).status, 200, 'the next /64')

  const spellings = ['192.0.2.9', '::ffff:192.0.2.9', '::ffff:c000:209', '0:0:0:0:0:ffff:192.0.2.9']
  await statuses(40, (n) => browser(spellings[n % 4]!).logout())
  for (const ip of spellings) limited(t, await browser(ip).logout(), 600, ip)
  t.equal((await browser('::ffff:192.0.2.10').logout()).status, 200)
})

t.test('without trustProxy, requests with a forged X-Forwarded-For share one limit; with it, each client has its own limit', async (t) => {
  const forged = (n: number) => ({ 'x-forwarded-for': `203.0.113.${n}` })
  const { browser } = await buildApp(t, { rateLimit: { logout: TWO } })
  t.strictSame(await statuses(4, (n) => browser().post(PATHS.logout, {}, forged(n))), [200, 200, 429, 429])
  const trusting = await buildApp(t, { rateLimit: { logout: TWO }, fastify: { trustProxy: true } })
  t.strictSame(await statuses(4, (n) => trusting.browser().post(PATHS.logout, {}, forged(n % 2))), [200, 200, 200, 200])
  t.strictSame(await statuses(2, (n) => trusting.browser().post(PATHS.logout, {}, forged(n))), [429, 429])
})

t.test('all requests over a Unix socket share one limit', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { app } = await buildApp(t, { rateLimit: { logout: TWO } })
  await app.listen({ path: join(folder, 'socket') })
  const logout = () => new Promise<number>((resolve, reject) => {
    request({ socketPath: join(folder, 'socket'), path: PATHS.logout, method: 'POST', agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!))
    }).on('error', reject).end()
  })
  t.strictSame([await logout(), await logout(), await logout()], [200, 200, 429])
})

t.test('attempts from one IP address on many accounts are limited, and a login from that address does not reset the count', async (t) => {
  const { browser, codeFor } = await buildApp(t, { rateLimit: { requestOtp: { max: 5 }, verifyOtp: { max: 5 } } })
  const victims = ['a@example.com', 'b@example.com', 'c@example.com', 'd@example.com']
  for (const email of victims) await browser(`203.0.113.${victims.indexOf(email)}`).requestOtp(email)
  const sprayer = browser('198.51.100.7')
  const spray = (n: number) => sprayer.verifyOtp(victims[n]!, wrongCode(codeFor(victims[n]!)))
  t.strictSame(await statuses(3, spray), [401, 401, 401])
  await sprayer.login('sprayer@example.com', codeFor)
  t.equal((await spray(3)).status, 401)
  limited(t, await spray(3), 600, 'the sixth attempt')
  t.equal((await browser('203.0.113.0').verifyOtp(victims[0]!, codeFor(victims[0]!))).status, 200, 'the owner logs in meanwhile')
})

t.test('responses for a known and an unknown email have the same headers, below and above the limit', async (t) => {
  const { browser, clock, codeFor } = await buildApp(t, { rateLimit: { requestOtp: { max: 1 } } })
  await browser('203.0.113.1').login(ANNA, codeFor)
  clock.advance(60)
  for (const [email, ip] of [[ANNA, '198.51.100.1'], ['nobody@example.com', '198.51.101.1']] as const) {
    const answers = [await browser(ip).requestOtp(email), await browser(ip).requestOtp(email)]
    t.strictSame(answers.map(({ status, headers }) => [status, Object.keys(headers).sort()]), [
      [200, ['cache-control', 'connection', 'content-length', 'content-type', 'date', 'set-cookie']],
      [429, ['cache-control', 'connection', 'content-length', 'content-type', 'date', 'retry-after']]
    ], email)
  }
})

t.test('requests that another site sends through the browser of a visitor do not count toward the limit of the visitor', async (t) => {
  const { browser } = await buildApp(t, { rateLimit: { logout: TWO } })
  const crossSite = () => browser().post(PATHS.logout, {}, { 'sec-fetch-site': 'cross-site' })
  t.strictSame(await statuses(5, crossSite), [403, 403, 403, 403, 403])
  t.strictSame(await statuses(3, () => browser().logout()), [200, 200, 429])
  t.equal((await crossSite()).status, 403)
})

t.test('the limit is checked before the body, and before the route hooks of the application', async (t) => {
  const ran: string[] = []
  const onRequest = [async () => { ran.push('onRequest') }]
  const route = { onRequest, preHandler: async () => { ran.push('preHandler') } }
  const { browser } = await buildApp(t, {
    rateLimit: { requestOtp: { max: 1 }, logout: { max: 1 } },
    routes: { requestOtp: route, logout: route }
  })
  await browser().requestOtp(ANNA)
  t.strictSame(ran, ['onRequest', 'preHandler'])
  limited(t, await browser().post(PATHS.requestOtp, { email: 'x'.repeat(9000) }), 600, 'a body that is too large')
  limited(t, await browser().post(PATHS.requestOtp, 'a=1', { 'content-type': 'text/plain' }), 600, 'a body that is not JSON')
  t.strictSame(ran, ['onRequest', 'preHandler'])
  await browser().logout()
  t.strictSame(ran, ['onRequest', 'preHandler', 'onRequest', 'preHandler'], 'once for each route, though both share the same hooks')
  t.equal(onRequest.length, 1, 'the array of the application is not changed')
})

t.test('exceeding a limit raises one event per window, without the IP address', async (t) => {
  const { browser, events } = await buildApp(t, { rateLimit: { refresh: { max: 1, timeWindow: 1 } } })
  let now = Date.now()
  t.intercept(Date, 'now', { value: () => now })
  const before = logged(/ip-limit\.reached/).length
  await statuses(6, () => browser('198.51.100.7').refresh())
  t.strictSame(events, [{ type: 'ip-limit.reached', route: 'refresh' }])
  await statuses(3, () => browser('198.51.100.8').refresh())
  t.equal(events.length, 2, 'another address')
  now += 1000
  await statuses(3, () => browser('198.51.100.7').refresh())
  t.equal(events.length, 3, 'another window')
  const lines = logged(/ip-limit\.reached/).slice(before).map((line) => JSON.parse(line))
  t.match(lines, [{ level: 40, msg: 'ip-limit.reached' }, { level: 40 }, { level: 40 }])
  t.notMatch(JSON.stringify(lines), /198\.51/)
})

t.test('each limit can be set or turned off, and all of them can be turned off', async (t) => {
  const some = await buildApp(t, { rateLimit: { logout: TWO, requestOtp: false } })
  t.strictSame(await statuses(3, () => some.browser().logout()), [200, 200, 429])
  t.strictSame(new Set(await statuses(61, () => some.browser().post(PATHS.requestOtp))), new Set([400]))
  const none = await buildApp(t, { rateLimit: false })
  t.strictSame(new Set(await statuses(61, () => none.browser().post(PATHS.requestOtp))), new Set([400]))
})

t.test('two instances in one application count separately', async (t) => {
  const { browser } = await buildApp(t, {
    rateLimit: { logout: TWO },
    after: (app) => app.register(async (admin) => {
      await addInstance(t, admin, { name: 'admin', prefix: '/admin', rateLimit: { logout: TWO } })
    })
  })
  t.strictSame(await statuses(3, () => browser().logout()), [200, 200, 429])
  t.strictSame(await statuses(3, () => browser().post('/admin/logout')), [200, 200, 429])
})
