import t from 'tap'
import { resolveOptions } from '../../../src/options/resolve.ts'
import { refuses, register, required, emptyStorage } from '../../helpers/options.ts'

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const
const resolve = (options: object) => resolveOptions({ ...required(), ...options })

const NOT_BOOLEANS = ['true', 0, 1, null, {}, []]
const NOT_NUMBERS = ['5', '', 1.5, NaN, Infinity, null, true, [5], {}, -1]
const NOT_DURATIONS = ['soon', '15', '', '15 minutes', -1, NaN, Infinity, null, true, false, {}, ['15m'], new Date(0)]
const NOT_FUNCTIONS = ['f', 1, null, true, {}, []]
const NOT_OBJECTS = ['x', 1, null, true, [], () => ({}), Promise.resolve({}), new Map(), new Date()]
const NOT_TEXTS = ['', 1, null, true, [], {}]

const defaults = {
  name: 'otp_auth',
  prefix: '/auth',
  accessTokenLifetime: 15 * MINUTE,
  refreshTokenLifetime: 7 * DAY,
  sessionLifetime: 30 * DAY,
  refreshGracePeriod: 30 * SECOND,
  refreshTokenInCookie: true,
  refreshTokenInBody: false,
  otpLength: 6,
  otpExpiry: 10 * MINUTE,
  maxOtpAttempts: 5,
  cooldown: 60 * SECOND,
  sendLimits: { perHour: 5, perDay: 10, reservePerDay: 10, perNetworkPerHour: 3, perDevicePerHour: 5, perDevicePerDay: 10 },
  failureLimits: { perDay: 20, consecutive: 100 },
  onFailureLimit: 'long-code',
  requireRequestId: false,
  autoCreateUser: true,
  openapi: true,
  newUserFields: undefined,
  isAllowed: undefined,
  awaitDelivery: true,
  deliveryTimeout: 10 * SECOND,
  getAdditionalClaims: undefined,
  issuer: undefined,
  audience: undefined,
  algorithm: 'HS256',
  developerMode: false,
  cookie: { secure: true, sameSite: 'lax', path: '/', domain: undefined, partitioned: false },
  trustedOrigins: new Set(),
  rateLimit: {
    limits: {
      requestOtp: { max: 60, timeWindow: 10 * MINUTE },
      verifyOtp: { max: 120, timeWindow: 10 * MINUTE },
      refresh: { max: 600, timeWindow: 10 * MINUTE },
      logout: { max: 120, timeWindow: 10 * MINUTE }
    },
    redis: undefined,
    store: undefined,
    timeout: 5 * SECOND
  },
  normalizeEmail: undefined,
  cleanupInterval: HOUR,
  onEvent: undefined
}

/** All optional options, by the names that an application uses. */
const optional = [
  ...Object.keys(defaults).filter((name) => !name.startsWith('refreshTokenIn'))
    .map((name) => name === 'cooldown' ? 'otpRateLimitSeconds' : name),
  'refreshTokenDelivery', 'routes', 'clock', 'random'
]

t.test('the defaults are the documented ones', async (t) => {
  const given = required()
  const { storage, sendOtp, secretKeys, clock, random, routes, ...options } = resolveOptions(given)
  t.strictSame(options, defaults)
  t.equal(storage, given.storage)
  t.equal(sendOtp, given.sendOtp)
  t.strictSame(secretKeys, [Buffer.from(given.secretKey)])
  t.equal(clock, Date.now)
  t.match([random.bytes(5).length, random.int(1)], [5, 0])
  t.strictSame(Object.keys(routes), ['requestOtp', 'verifyOtp', 'refresh', 'logout'])
})

t.test('an explicit undefined keeps the default', async (t) => {
  const undefineds = Object.fromEntries(optional.map((name) => [name, undefined]))
  const { storage, sendOtp, secretKeys, clock, random, routes, ...options } = resolve(undefineds)
  t.strictSame(options, defaults)
  const nested = (names: string[]) => Object.fromEntries(names.map((name) => [name, undefined]))
  const resolved = resolve({
    sendLimits: nested(Object.keys(defaults.sendLimits)),
    failureLimits: nested(Object.keys(defaults.failureLimits)),
    cookie: nested(Object.keys(defaults.cookie)),
    rateLimit: { ...nested(['redis', 'store', 'timeout', 'refresh']), requestOtp: nested(['max', 'timeWindow']) },
    routes: { requestOtp: undefined, verifyOtp: nested(['onRequest', 'preHandler', 'config']) }
  })
  const { sendLimits, failureLimits, cookie, rateLimit } = defaults
  t.match(resolved, { sendLimits, failureLimits, cookie, rateLimit })
  await register({ ...required(), ...undefineds })
  for (const name of Object.keys(required())) {
    await refuses(t, { ...required(), [name]: undefined }, name, /must be/, `${name} has no default`)
  }
})

t.test('if a nested option is set in part, the rest keeps its defaults', async (t) => {
  t.strictSame(resolve({ sendLimits: { perHour: 4 } }).sendLimits, { ...defaults.sendLimits, perHour: 4 })
  t.strictSame(resolve({ failureLimits: { perDay: 7 } }).failureLimits, { ...defaults.failureLimits, perDay: 7 })
  t.strictSame(resolve({ cookie: { path: '/api' } }).cookie, { ...defaults.cookie, path: '/api' })
  const { limits } = resolve({ rateLimit: { refresh: { max: 9 }, logout: { timeWindow: '1h' }, verifyOtp: false } }).rateLimit
  t.strictSame(limits, {
    requestOtp: defaults.rateLimit.limits.requestOtp,
    verifyOtp: null,
    refresh: { max: 9, timeWindow: 10 * MINUTE },
    logout: { max: 120, timeWindow: HOUR }
  })
})

t.test('the resolved options are frozen, and the objects of the application are neither frozen nor read again', async (t) => {
  const sendLimits = { perHour: 4 }
  const options = resolve({ sendLimits })
  const { routes, failureLimits, cookie, secretKeys, rateLimit } = options
  const limits = [rateLimit, rateLimit.limits, ...Object.values(rateLimit.limits)]
  for (const part of [options, options.sendLimits, failureLimits, cookie, secretKeys, routes, ...Object.values(routes), ...limits]) {
    t.ok(Object.isFrozen(part))
  }
  t.notOk(Object.isFrozen(sendLimits))
  sendLimits.perHour = 1000
  t.equal(options.sendLimits.perHour, 4, 'a later change by the application has no effect')
})

t.test('awaitDelivery is on by default only if every address gets an email', async (t) => {
  const isAllowed = () => true
  t.equal(resolve({}).awaitDelivery, true)
  t.equal(resolve({ autoCreateUser: false }).awaitDelivery, false)
  t.equal(resolve({ isAllowed }).awaitDelivery, false)
  t.equal(resolve({ isAllowed, awaitDelivery: true }).awaitDelivery, true)
  t.equal(resolve({ awaitDelivery: false }).awaitDelivery, false)
})

t.test('every duration accepts seconds or a string, within its bounds', async (t) => {
  const bounds: Record<string, [number, number]> = {
    accessTokenLifetime: [1, 3650 * 86400],
    refreshTokenLifetime: [1, 3650 * 86400],
    sessionLifetime: [1, 3650 * 86400],
    refreshGracePeriod: [0, 3650 * 86400],
    otpExpiry: [1, 600],
    otpRateLimitSeconds: [0, 3650 * 86400],
    deliveryTimeout: [0.001, 24 * 86400],
    cleanupInterval: [1, 24 * 86400]
  }
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const read = (value: unknown) => (resolve({ [name]: value }) as unknown as Record<string, number>)[name === 'otpRateLimitSeconds' ? 'cooldown' : name]
    for (const [given, milliseconds] of [[least, least * SECOND], [most, most * SECOND], ['90s', 90 * SECOND], ['2m', 2 * MINUTE], [1.5, 1500]] as const) {
      t.equal(read(given), milliseconds, `${name}: ${given}`)
    }
    const orFalse = name === 'cleanupInterval' ? ', or false' : ''
    const expected = new RegExp(`must be a number of seconds, or a string such as "15m", from ${least} to ${most} seconds${orFalse}\\. Got `)
    const outside = [most + 1, `${most + 1}s`, ...(least > 0 ? [0, '0s', least / 3] : [])]
    for (const value of [...NOT_DURATIONS, ...outside]) {
      if (orFalse !== '' && value === false) continue
      await refuses(t, { ...required(), [name]: value }, name, expected, `${name}: ${JSON.stringify(value)}`)
    }
  }
  t.equal(resolve({ cleanupInterval: false }).cleanupInterval, null, 'false turns cleanup off')
})

t.test('numeric options accept only whole numbers within their bounds', async (t) => {
  const bounds: Record<string, [number, number]> = {
    otpLength: [6, 12],
    maxOtpAttempts: [1, 1_000_000],
    'sendLimits.perHour': [1, 1_000_000],
    'sendLimits.perDay': [1, 1_000_000],
    'sendLimits.reservePerDay': [0, 1_000_000],
    'sendLimits.perNetworkPerHour': [1, 1_000_000],
    'sendLimits.perDevicePerHour': [1, 1_000_000],
    'sendLimits.perDevicePerDay': [1, 1_000_000],
    'failureLimits.perDay': [1, 1_000_000],
    'failureLimits.consecutive': [1, 1_000_000]
  }
  for (const [path, [least, most]] of Object.entries(bounds)) {
    const [name, inner] = path.split('.') as [string, string | undefined]
    const give = (value: unknown) => ({ otpLength: 12, [name]: inner === undefined ? value : { [inner]: value } })
    for (const value of [least, most]) {
      const resolved = (resolve(give(value)) as unknown as Record<string, any>)[name]
      t.equal(inner === undefined ? resolved : resolved[inner], value, path)
    }
    for (const value of [...NOT_NUMBERS, least - 1, most + 1]) {
      const expected = new RegExp(`must be a whole number from ${least} to ${most}\\. Got `)
      await refuses(t, { ...required(), ...give(value) }, path, expected, `${path}: ${JSON.stringify(value)}`)
    }
  }
})

t.test('an IP rate limit is a whole number in a window of at most an hour, or false, and redis and store cannot both be set', async (t) => {
  const wrong: Record<string, [values: unknown[], expected: RegExp]> = {
    '': [['x', 1, null, true, [], () => ({})], /must be an object or false\. Got/],
    '.refresh': [['x', 1, null, true, [], () => ({})], /must be an object or false\. Got/],
    '.logout.max': [[...NOT_NUMBERS, 0, 1_000_001], /must be a whole number from 1 to 1000000\. Got/],
    '.logout.timeWindow': [[...NOT_DURATIONS, 0, 3601, 60_000, '2h'], /must be a number of seconds, or a string such as "15m", from 1 to 3600 seconds\. Got/],
    '.timeout': [[...NOT_DURATIONS, 0, 61], /must be a number of seconds, or a string such as "15m", from 0.001 to 60 seconds\. Got/],
    '.redis': [['redis://localhost', null, true, {}, { defineCommand: 1 }, [], { sendCommand: () => {} }], /must be an ioredis client \(not a client of the package redis, which has another interface\)\. Got (?:an? \w+|null|true)$/],
    '.store': [['redis', null, true, {}, [], () => ({}), async () => {}], /must be a custom store class for @fastify\/rate-limit\. Got/],
    '.refresh.timewindow': [[1], /Unknown option ".*"\. Expected one of max, timeWindow/]
  }
  for (const [path, [values, expected]] of Object.entries(wrong)) {
    const whole = `rateLimit${path}`
    for (const value of values) {
      const given = whole.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object
      await refuses(t, { ...required(), ...given }, whole, expected, `${whole}: ${String(value)}`)
    }
  }
  const both = { redis: { defineCommand () {} }, store: class {} }
  await refuses(t, { ...required(), rateLimit: both }, 'rateLimit.store', /must be left out if rateLimit\.redis is set/)
  t.strictSame(resolve({ rateLimit: false }).rateLimit.limits, { requestOtp: null, verifyOtp: null, refresh: null, logout: null })
})

t.test('every option accepts only values of its type, and an option with choices accepts only those', async (t) => {
  const wrong: Array<[names: string[], values: unknown[], expected: RegExp]> = [
    [['requireRequestId', 'autoCreateUser', 'awaitDelivery', 'developerMode', 'openapi', 'cookie.secure', 'cookie.partitioned'], NOT_BOOLEANS, /must be true or false\. Got/],
    [['sendOtp', 'newUserFields', 'isAllowed', 'getAdditionalClaims', 'normalizeEmail', 'onEvent', 'clock'], NOT_FUNCTIONS, /must be a function\. Got/],
    [['sendLimits', 'failureLimits', 'cookie', 'routes', 'routes.requestOtp', 'routes.refresh.config'], NOT_OBJECTS, /must be an object\. Got/],
    [['routes.verifyOtp.onRequest', 'routes.logout.preHandler'], ['x', 1, null, {}, ['x'], [() => {}, null]], /must be a function or an array of functions\. Got/],
    [['issuer', 'audience'], NOT_TEXTS, /must be a non-empty string\. Got/],
    [['refreshTokenDelivery'], ['header', 'Cookie', '', 1, null, ['cookie']], /must be "cookie" or "body" or "both"\. Got/],
    [['onFailureLimit'], ['lock', '', 1, null], /must be "long-code" or "refuse"\. Got/],
    [['algorithm'], ['none', 'RS256', 'ES256', 'hs256', '', 256, null], /must be "HS256" or "HS384" or "HS512"\. Got/],
    [['cookie.sameSite'], ['Lax', '', true, false, null], /must be "strict" or "lax" or "none"\. Got/],
    [['random'], [null, {}, 'x', () => 1, { bytes: () => 1 }, { int: () => 1 }, { bytes: 1, int: 2 }], /must be an object with the functions bytes and int\. Got/]
  ]
  for (const [paths, values, expected] of wrong) {
    for (const path of paths) {
      for (const value of values) {
        const given = path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object
        await refuses(t, { ...required(), ...given }, path, expected, `${path}: ${JSON.stringify(value)}`)
      }
    }
  }
  const right = {
    onFailureLimit: ['long-code', 'refuse'], algorithm: ['HS256', 'HS384', 'HS512'], issuer: ['x'], audience: ['x']
  }
  for (const [name, values] of Object.entries(right)) {
    for (const value of values) t.equal((resolve({ [name]: value }) as unknown as Record<string, unknown>)[name], value)
  }
})

t.test('refreshTokenDelivery decides whether refresh tokens are in the cookie, in bodies or in both', async (t) => {
  for (const [refreshTokenDelivery, refreshTokenInCookie, refreshTokenInBody] of [['cookie', true, false], ['body', false, true], ['both', true, true]] as const) {
    t.match(resolve({ refreshTokenDelivery }), { refreshTokenInCookie, refreshTokenInBody }, refreshTokenDelivery)
  }
})

t.test('a storage that lacks any one of the verbs is refused', async (t) => {
  const storage = emptyStorage() as unknown as Record<string, unknown>
  for (const verb of Object.keys(storage)) {
    for (const value of [undefined, 'x']) {
      await refuses(t, { ...required(), storage: { ...storage, [verb]: value } }, 'storage', new RegExp(`must be a storage adapter, e\\.g\\. drizzleStorage\\(db\\)\\. It has no method "${verb}"$`), verb)
    }
  }
  for (const value of ['postgres://user:password@host/db', null, [], () => storage]) {
    await refuses(t, { ...required(), storage: value }, 'storage', /must be a storage adapter, e\.g\. drizzleStorage\(db\)\. Got/)
  }
  class Adapter { constructor () { Object.assign(this, storage) } }
  await register({ ...required(), storage: Object.create(new Adapter()) })
})

t.test('a registration without options is refused', async (t) => {
  for (const options of [undefined, {}]) await refuses(t, options, 'storage', /must be a storage adapter/)
})
