import Fastify from 'fastify'
import t from 'tap'
import otpAuth, { type RateLimitStore } from '../../src/index.ts'
import { buildApp } from '../helpers/app.ts'
import { addInstance } from '../helpers/instances.ts'
import { everyRoute, failsClosed } from '../helpers/ip-limits.ts'
import { logged } from '../helpers/log.ts'
import { required } from '../helpers/options.ts'

const ANNA = 'anna@example.com'

type Incr = RateLimitStore['incr']

/** A store class as an application writes it. All its instances share one count. */
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

t.test('a custom store counts separately for each instance and route, and together for all processes', async (t) => {
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

t.test('if the store fails, throws or hangs, the response is 503 in bounded time; everything works again once the store is back', async (t) => {
  const { incr } = counting()
  const failures: Record<string, Incr> = {
    fails: (key, done) => done(Object.assign(new Error('the store is gone'), { command: { args: [key] } })),
    throws: () => { throw new Error('the store throws') },
    rejects: (async () => { throw new Error('the store rejects') }) as unknown as Incr,
    'rejects with nothing': (() => Promise.reject()) as unknown as Incr, // eslint-disable-line prefer-promise-reject-errors
    hangs: () => {},
    'returns nothing': (_key, done) => done(null),
    'returns no numbers': (_key, done) => done(null, {} as never),
    'returns no count': (_key, done) => done(null, { current: NaN, ttl: 1000 }),
    'returns no time': (_key, done) => done(null, { current: 1 } as never)
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
  t.equal(emails.length, 1, 'no email was sent')
  const reasons = 'is gone|throws|rejects|did not respond within 50 ms|rateLimit.store (rejected|must call its callback with the numbers current and ttl)'
  const said = logged(new RegExp(`(${reasons}).*OTP_AUTH_STORAGE_UNAVAILABLE`))
  t.equal(said.length, 4 * Object.keys(failures).length, 'the log contains the reason')
  t.notMatch(said.join(), /otp_auth:\w+:198/, 'and no key')
  current = incr
  t.equal((await anna.refresh()).status, 200)
  t.equal((await anna.logout()).status, 200)
})

t.test('a store class without the method incr is refused at startup', async (t) => {
  for (const store of [class {}, class { increment () {} }, class { incr = 1 }]) {
    const app = Fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => await app.register(otpAuth, { ...required(), rateLimit: { store: store as never } }), {
      code: 'OTP_AUTH_INVALID_OPTION', message: /rateLimit\.store must be a class whose objects have the method incr/
    })
  }
})
