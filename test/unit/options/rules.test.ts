import Fastify from 'fastify'
import t, { type Test } from 'tap'
import otpAuth from '../../../src/index.ts'
import { resolveOptions } from '../../../src/options/resolve.ts'
import { buildApp } from '../../helpers/app.ts'
import { logged } from '../../helpers/log.ts'
import { SECRET, refuses, register, required } from '../../helpers/options.ts'

const EMAIL = 'anna@example.com'

t.test('an unknown option is refused at any level, and the error lists the known options', async (t) => {
  const unknown = ['secret', 'SecretKey', 'otpLenght', 'rateLimits', 'openApi', 'otp_length', 'cooldown', 'secrets', 'constructor', 'toString']
  for (const name of unknown) {
    await refuses(t, { ...required(), [name]: undefined }, name,
      /Unknown option ".*"\. Expected one of .*storage.*secretKey.*otpLength/, name)
  }
  const nested = {
    sendLimits: /perHour, perDay/,
    failureLimits: /perDay, consecutive/,
    cookie: /secure, sameSite/,
    routes: /requestOtp, verifyOtp/,
    rateLimit: /requestOtp, verifyOtp, refresh, logout, redis, store, timeout/
  }
  for (const [option, expected] of Object.entries(nested)) {
    for (const name of ['perMinute', 'httpOnly', 'request-otp', 'name']) {
      await refuses(t, { ...required(), [option]: { [name]: 1 } }, `${option}.${name}`, expected)
    }
  }
  for (const route of ['requestOtp', 'verifyOtp', 'refresh', 'logout']) {
    for (const name of ['schema', 'bodyLimit', 'handler', 'url', 'preValidation']) {
      await refuses(t, { ...required(), routes: { [route]: { [name]: () => {} } } }, `routes.${route}.${name}`, /Unknown option ".*"\. Expected one of onRequest, preHandler, config/)
    }
  }
})

t.test('no error message contains a value that may be a secret', async (t) => {
  const secret = 'hunter2-hunter2'
  const given: Record<string, unknown> = {
    secretKey: secret,
    storage: secret,
    sendOtp: secret,
    issuer: [secret],
    name: `${secret}!`,
    prefix: secret,
    otpExpiry: secret,
    algorithm: secret,
    unknown: secret,
    cookie: { domain: `${secret}/`, other: secret },
    trustedOrigins: [secret],
    sendLimits: secret,
    clock: { secret }
  }
  for (const [name, value] of Object.entries(given)) {
    const message = await refuses(t, { ...required(), [name]: value }, `${name}${name === 'cookie' ? '.domain' : ''}`, /./)
    t.notMatch(message, /hunter2/, name)
  }
  for (const value of [Buffer.from(secret), [secret, SECRET], [Buffer.from(secret)], { secret }, [{ secret }]]) {
    t.notMatch(await refuses(t, { ...required(), secretKey: value }, 'secretKey', /must/), /hunter2|104,117/)
  }
})

t.test('each secret must have at least 32 bytes', async (t) => {
  const secrets = (secretKey: unknown) => resolveOptions({ ...required(), secretKey: secretKey as string }).secretKeys
  t.strictSame(secrets('x'.repeat(32)), [Buffer.from('x'.repeat(32))])
  t.strictSame(secrets('ä'.repeat(16)), [Buffer.from('ä'.repeat(16))], 'bytes are counted, not letters')
  t.strictSame(secrets(Buffer.alloc(32, 7)), [Buffer.alloc(32, 7)])
  t.strictSame(secrets(['x'.repeat(32), Buffer.alloc(40)]), [Buffer.from('x'.repeat(32)), Buffer.alloc(40)], 'the order is kept')
  for (const value of ['', 'x'.repeat(31), Buffer.alloc(31), [], ['x'.repeat(31)], [SECRET, ''], [SECRET, 'x'.repeat(31)]]) {
    await refuses(t, { ...required(), secretKey: value }, 'secretKey', /must have at least 32 bytes\. If it is an array, it must have at least one element, and each element must have that length\. Create one with/)
  }
  for (const value of [undefined, null, 1, true, {}, () => SECRET, new Uint8Array(32), [undefined], [SECRET, null], [[SECRET]], Array(1)]) {
    await refuses(t, { ...required(), secretKey: value }, 'secretKey', /must be a string or a Buffer, or an array of them/)
  }
})

t.test('valid names, prefixes, cookie paths, cookie domains and trusted origins are accepted, and malformed ones are refused', async (t) => {
  const right: Record<string, unknown[]> = {
    name: ['a', 'otp_auth', 'Admin-2', 'x'.repeat(64)],
    prefix: ['', '/auth', '/api/v1/auth', '/a.b~c-d_e'],
    'cookie.path': ['/', '/auth', '/a/b/'],
    'cookie.domain': ['example.com', '.example.com', 'localhost', 'a-b.example'],
    trustedOrigins: [[], ['https://app.example'], ['http://localhost:5173', 'https://b.example']]
  }
  const wrong: Record<string, [unknown[], RegExp]> = {
    name: [['', 'a b', 'a;b', 'a=b', 'a/b', 'ä', 'x'.repeat(65), 'a\n', 1, null], /must be 1 to 64 letters, digits, "_" or "-"\. Got/],
    prefix: [['auth', '/', '/auth/', '//auth', '/a b', '/:id', '/*', '/a?b', 1, null], /must be a path such as "\/auth", or ""\. Got/],
    'cookie.path': [['', 'auth', '/a;b', '/a b', '/a,b', '/ä', '/a\0', '/a<b', '/a\n', 1, null], /must be a path that begins with "\/"\. Got/],
    'cookie.domain': [['', 'a b', 'a;b', 'a/b', 'ä.example', '-', 'a..b', '.', 'a-', 'a.', 'https://x.io', 1, null], /must be a domain name\. Got/],
    trustedOrigins: [
      ['https://app.example', ['https://app.example/'], ['https://app.example/path'], ['app.example'], ['null'], ['*'], ['https://*.example'], ['HTTPS://app.example'],
        ['https://app.example:443'], ['https://ok.example', 1], [null], {}, null, true, /x/],
      /must be an array of origins such as "https:\/\/app\.example", with no path and no slash at the end\. Got/
    ]
  }
  const nest = (path: string, value: unknown) => path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object
  for (const [path, values] of Object.entries(right)) {
    for (const value of values) await t.resolves(register({ ...required(), ...nest(path, value) }), `${path}: ${JSON.stringify(value)}`)
  }
  for (const [path, [values, expected]] of Object.entries(wrong)) {
    for (const value of values) await refuses(t, { ...required(), ...nest(path, value) }, path, expected, `${path}: ${JSON.stringify(value)}`)
  }
})

t.test('cookie options that browsers would reject are refused', async (t) => {
  for (const cookie of [{ secure: false, sameSite: 'none' }, { secure: false, partitioned: true }, { secure: false, sameSite: 'none', partitioned: true }]) {
    await refuses(t, { ...required(), cookie }, 'cookie.secure', /must be true if cookie\.sameSite is "none" or cookie\.partitioned is true/)
  }
  for (const cookie of [{ sameSite: 'none' }, { partitioned: true }, { secure: false }, { secure: false, sameSite: 'strict' }]) {
    await t.resolves(register({ ...required(), cookie }), JSON.stringify(cookie))
  }
})

t.test('limits with guessing odds above 1 in 1,000 a day are refused, the error states the odds, and the odds of valid limits are logged', async (t) => {
  const weak: object[] = [
    { failureLimits: { perDay: 446 } },
    { maxOtpAttempts: 44 },
    { sendLimits: { perHour: 200, perDay: 200 }, otpRateLimitSeconds: 0 },
    { sendLimits: { reservePerDay: 300 }, otpRateLimitSeconds: 0 },
    { maxOtpAttempts: 1_000_000, otpLength: 9 }
  ]
  const message = new RegExp('make guessing too easy: the probability that an attacker guesses a code of one account within a day is ' +
    /\d\.\de-\d\. Expected at most 0\.001\. Lower a limit or raise otpLength$/.source)
  for (const options of weak) {
    await refuses(t, { ...required(), ...options }, 'failureLimits, maxOtpAttempts, sendLimits and otpLength together',
      message, JSON.stringify(options))
  }
  await t.resolves(register({ ...required(), failureLimits: { perDay: 445 } }), 'exactly 1 in 1,000')
  await t.resolves(register({ ...required(), failureLimits: { perDay: 446 }, otpLength: 7 }))
  const loggedOdds = /"guessingOddsPerAccountAndDay":0\.00015[,}]/
  t.strictSame(logged(loggedOdds), [])
  await buildApp(t)
  t.equal(logged(loggedOdds).length, 1)
})

t.test('developer mode is refused in production and with secure cookies', async (t) => {
  const developer = { ...required(), developerMode: true, cookie: { secure: false } }
  const remedy = /requires cookie\.secure to be false, .* For local development over HTTP, set cookie: \{ secure: false \}$/
  await refuses(t, { ...required(), developerMode: true }, 'developerMode', remedy)
  await refuses(t, { ...developer, cookie: { secure: true } }, 'developerMode', remedy)
  await t.resolves(register(developer))
  await inProduction(t, async () => {
    await refuses(t, developer, 'developerMode', /must be false if NODE_ENV is "production"/)
    await t.resolves(register(required()), 'without developer mode, production is accepted')
  })
})

async function inProduction (t: Test, run: () => Promise<void>): Promise<void> {
  const before = process.env['NODE_ENV']
  t.teardown(() => {
    if (before === undefined) delete process.env['NODE_ENV']
    else process.env['NODE_ENV'] = before
  })
  process.env['NODE_ENV'] = 'production'
  await run()
}

t.test('developer mode logs a warning at boot, accepts a short secret and sends a code of zeros, which is in no response', async (t) => {
  const warning = /"level":40.*developerMode is on/
  await buildApp(t)
  t.strictSame(logged(warning), [], 'no warning without developer mode')
  const { browser, emails, clock } = await buildApp(t, { developerMode: true, cookie: { secure: false }, secretKey: 'x', failureLimits: { perDay: 1 } })
  t.equal(logged(warning).length, 1)
  await refuses(t, { ...required(), developerMode: true, cookie: { secure: false }, secretKey: '' }, 'secretKey', /at least 1 bytes/)

  const anna = browser()
  const requested = await anna.requestOtp(EMAIL)
  t.equal(emails[0]!.code, '000000')
  t.notMatch(JSON.stringify([requested.body, requested.headers]), /000000/)
  t.equal((await anna.verifyOtp(EMAIL, '111111')).status, 401, 'any other code is still wrong')
  const verified = await anna.verifyOtp(EMAIL, '000000')
  t.equal(verified.status, 200)
  t.strictSame([...anna.cookies.keys()].sort(), ['otp_device', 'refresh_token'])

  clock.advance(61)
  const stranger = browser('198.51.100.1')
  t.match((await stranger.requestOtp(EMAIL)).body, { code_length: 13 })
  t.equal(emails[1]!.code, '0'.repeat(13), 'long codes are zeros, too')
})

t.test('hooks and config of the application apply only to the routes that they are set for', async (t) => {
  const ran: string[] = []
  const hook = (name: string) => async () => { ran.push(name) }
  const seen: unknown[] = []
  const { browser } = await buildApp(t, {
    before: (app) => { app.addHook('onRoute', ({ url, config }) => { if (url.startsWith('/auth')) seen.push([url, (config as { tag?: string })?.tag]) }) },
    routes: {
      requestOtp: { onRequest: hook('captcha'), config: { tag: 'request' } as object },
      verifyOtp: { preHandler: [hook('first'), hook('second')] },
      refresh: { onRequest: [hook('before refresh')] },
      logout: { preHandler: hook('before logout'), config: { tag: 'logout' } as object }
    }
  })
  const anna = browser()
  await anna.requestOtp(EMAIL)
  t.strictSame(ran.splice(0), ['captcha'])
  await anna.verifyOtp(EMAIL, '1')
  t.strictSame(ran.splice(0), ['first', 'second'])
  await anna.refresh()
  await anna.logout()
  t.strictSame(ran, ['before refresh', 'before logout'])
  t.strictSame(seen, [['/auth/request-otp', 'request'], ['/auth/verify-otp', undefined], ['/auth/refresh', undefined], ['/auth/logout', 'logout']])
})

t.test('an invalid option stops the application from starting', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(otpAuth, { ...required(), otpLength: 5 })
  await t.rejects(async () => await app.ready(), { code: 'OTP_AUTH_INVALID_OPTION', message: /otpLength must be a whole number from 6 to 12\. Got 5/ })
})
