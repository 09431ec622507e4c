import { systemRandom, type Clock, type Random } from '../core/clock-and-random.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../core/duration.ts'
import { MAX_ODDS, MAX_OTP_EXPIRY, guessingOdds } from '../core/guessing-odds.ts'
import { isFunction, isObject } from '../core/type-checks.ts'
import { MAX_TIMER_DELAY } from '../core/with-timeout.ts'
import { invalidOption } from '../errors.ts'
import { STORAGE_VERBS } from '../storage/verbs.ts'
import { readRateLimit } from './rate-limit.ts'
import { optionReader, type OptionReader } from './reader.ts'
import type { OtpAuthOptions } from './types.ts'

/** NIST SP 800-107: the key of an HMAC should not be shorter than its output. */
const MIN_SECRET_BYTES = 32

/** The default of the option `name`. */
export const DEFAULT_NAME = 'otp_auth'

/** The longest delay of a timer, in whole days. */
const MAX_TIMER = Math.floor(MAX_TIMER_DELAY / DAY) * DAY

/** The characters allowed in these attributes. Any other character would make every response that sets a cookie fail. */
const COOKIE_PATH = /^\/[\w.~!$&'()*+:=@%/-]*$/
const COOKIE_DOMAIN = /^\.?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** The options as the rest of the package reads them: complete, checked and frozen. Every time is in milliseconds. */
export type ResolvedOptions = ReturnType<typeof resolveOptions>

/**
 * Checks the options and fills in the defaults.
 *
 * @throws OTP_AUTH_INVALID_OPTION for an unknown name, a wrong type or a value that is not allowed. The message contains the
 * name of the option and says what was expected.
 */
export function resolveOptions (given: OtpAuthOptions) {
  const read = optionReader(given as unknown as Record<string, unknown>, '')
  const sendLimits = optionReader(read.object('sendLimits'), 'sendLimits.')
  const failureLimits = optionReader(read.object('failureLimits'), 'failureLimits.')
  const cookie = optionReader(read.object('cookie'), 'cookie.')
  const routes = optionReader(read.object('routes'), 'routes.')
  const developerMode = read.boolean('developerMode', false)
  const autoCreateUser = read.boolean('autoCreateUser', true)
  const refreshTokenDelivery = read.oneOf('refreshTokenDelivery', 'cookie', ['cookie', 'body', 'both'] as const)
  const isAllowed = read.optionalFunction<NonNullable<OtpAuthOptions['isAllowed']>>('isAllowed')

  const options = Object.freeze({
    storage: readStorage(read),
    secretKeys: readSecretKeys(given.secretKey, developerMode, read),
    sendOtp: read.required('sendOtp', isFunction, 'a function') as OtpAuthOptions['sendOtp'],
    name: read.matching('name', DEFAULT_NAME, /^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, "_" or "-"'),
    prefix: read.matching('prefix', '/auth', /^(?:\/[A-Za-z0-9._~-]+)*$/, 'a path such as "/auth", or ""'),
    accessTokenLifetime: read.duration('accessTokenLifetime', 15 * MINUTE, { min: SECOND }),
    refreshTokenLifetime: read.duration('refreshTokenLifetime', 7 * DAY, { min: SECOND }),
    sessionLifetime: read.duration('sessionLifetime', 30 * DAY, { min: SECOND }),
    refreshGracePeriod: read.duration('refreshGracePeriod', 30 * SECOND, { min: 0 }),
    refreshTokenInCookie: refreshTokenDelivery !== 'body',
    refreshTokenInBody: refreshTokenDelivery !== 'cookie',
    otpLength: read.integer('otpLength', 6, { min: 6, max: 12 }),
    otpExpiry: read.duration('otpExpiry', MAX_OTP_EXPIRY, { min: SECOND, max: MAX_OTP_EXPIRY }),
    maxOtpAttempts: read.integer('maxOtpAttempts', 5, { min: 1 }),
    // From here on, the code calls it the cooldown, as the storage contract does.
    cooldown: read.duration('otpRateLimitSeconds', MINUTE, { min: 0 }),
    sendLimits: Object.freeze({
      perHour: sendLimits.integer('perHour', 5, { min: 1 }),
      perDay: sendLimits.integer('perDay', 10, { min: 1 }),
      reservePerDay: sendLimits.integer('reservePerDay', 10, { min: 0 }),
      perNetworkPerHour: sendLimits.integer('perNetworkPerHour', 3, { min: 1 }),
      perDevicePerHour: sendLimits.integer('perDevicePerHour', 5, { min: 1 }),
      perDevicePerDay: sendLimits.integer('perDevicePerDay', 10, { min: 1 })
    }),
    failureLimits: Object.freeze({
      perDay: failureLimits.integer('perDay', 20, { min: 1 }),
      consecutive: failureLimits.integer('consecutive', 100, { min: 1 })
    }),
    onFailureLimit: read.oneOf('onFailureLimit', 'long-code', ['long-code', 'refuse'] as const),
    requireRequestId: read.boolean('requireRequestId', false),
    autoCreateUser,
    newUserFields: read.optionalFunction<NonNullable<OtpAuthOptions['newUserFields']>>('newUserFields'),
    isAllowed,
    // If only some addresses get an email, a response that waits for the delivery would reveal which ones.
    awaitDelivery: read.boolean('awaitDelivery', autoCreateUser && isAllowed === undefined),
    deliveryTimeout: read.duration('deliveryTimeout', 10 * SECOND, { min: 1, max: MAX_TIMER }),
    getAdditionalClaims: read.optionalFunction<NonNullable<OtpAuthOptions['getAdditionalClaims']>>('getAdditionalClaims'),
    issuer: read.optionalText('issuer'),
    audience: read.optionalText('audience'),
    algorithm: read.oneOf('algorithm', 'HS256', ['HS256', 'HS384', 'HS512'] as const),
    developerMode,
    cookie: Object.freeze({
      secure: cookie.boolean('secure', true),
      sameSite: cookie.oneOf('sameSite', 'lax', ['strict', 'lax', 'none'] as const),
      path: cookie.matching('path', '/', COOKIE_PATH, 'a path that begins with "/"'),
      domain: cookie.optionalText('domain', COOKIE_DOMAIN, 'a domain name'),
      partitioned: cookie.boolean('partitioned', false)
    }),
    trustedOrigins: new Set(read.origins('trustedOrigins')),
    routes: Object.freeze({
      requestOtp: routes.routeOptions('requestOtp'),
      verifyOtp: routes.routeOptions('verifyOtp'),
      refresh: routes.routeOptions('refresh'),
      logout: routes.routeOptions('logout')
    }),
    rateLimit: readRateLimit(read),
    normalizeEmail: read.optionalFunction<NonNullable<OtpAuthOptions['normalizeEmail']>>('normalizeEmail'),
    cleanupInterval: read.durationOrFalse('cleanupInterval', HOUR, { min: SECOND, max: MAX_TIMER }),
    openapi: read.boolean('openapi', true),
    onEvent: read.optionalFunction<NonNullable<OtpAuthOptions['onEvent']>>('onEvent'),
    clock: read.optionalFunction<Clock>('clock') ?? Date.now,
    random: (read.optional('random', isRandom, 'an object with the functions bytes and int') ?? systemRandom) as Random
  })

  for (const one of [read, sendLimits, failureLimits, cookie, routes]) one.refuseUnknown()
  refuseUnsafe(options)
  return options
}

/** Refuses combinations of options that are each valid but unsafe together. */
function refuseUnsafe (options: {
  developerMode: boolean
  cookie: { secure: boolean, sameSite: string, partitioned: boolean }
} & Parameters<typeof guessingOdds>[0]): void {
  const { cookie, developerMode } = options
  if (!cookie.secure && (cookie.sameSite === 'none' || cookie.partitioned)) {
    throw invalidOption('cookie.secure must be true if cookie.sameSite is "none" or cookie.partitioned is true: browsers drop such cookies otherwise')
  }
  if (developerMode && process.env['NODE_ENV'] === 'production') {
    throw invalidOption('developerMode must be false if NODE_ENV is "production", because every code consists of zeros')
  }
  if (developerMode && cookie.secure) {
    throw invalidOption('developerMode requires cookie.secure to be false, so that it never runs in production over HTTPS. ' +
      'For local development over HTTP, set cookie: { secure: false }')
  }
  const odds = guessingOdds(options)
  if (odds > MAX_ODDS) {
    throw invalidOption('failureLimits, maxOtpAttempts, sendLimits and otpLength together make guessing too easy: the probability that an ' +
      `attacker guesses a code of one account within a day is ${odds.toExponential(1)}. Expected at most ${MAX_ODDS}. Lower a limit or raise otpLength`)
  }
}

function readStorage (read: OptionReader): OtpAuthOptions['storage'] {
  const expected = 'a storage adapter, e.g. drizzleStorage(db)'
  const storage = read.required('storage', isObject, expected) as Record<string, unknown>
  const missing = STORAGE_VERBS.find((verb) => !isFunction(storage[verb]))
  if (missing !== undefined) throw invalidOption(`storage must be ${expected}. It has no method "${missing}"`)
  return storage as unknown as OtpAuthOptions['storage']
}

function readSecretKeys (given: unknown, developerMode: boolean, read: OptionReader): readonly Buffer[] {
  read.markKnown('secretKey')
  const list: unknown[] = Array.isArray(given) ? Array.from(given) : [given]
  const secrets = list.map((secret) => {
    if (typeof secret === 'string') return Buffer.from(secret)
    if (Buffer.isBuffer(secret)) return secret
    throw invalidOption('secretKey must be a string or a Buffer, or an array of them. If it comes from an environment variable, check that the variable is set')
  })
  const shortest = developerMode ? 1 : MIN_SECRET_BYTES
  if (secrets.length === 0 || secrets.some((secret) => secret.length < shortest)) {
    throw invalidOption(`secretKey must have at least ${shortest} bytes. If it is an array, it must have at least one element, and each element must have that length. Create one with "openssl rand -base64 32"`)
  }
  return Object.freeze(secrets)
}

function isRandom (value: unknown): boolean {
  return isObject(value) && ['bytes', 'int'].every((name) => isFunction((value as Record<string, unknown>)[name]))
}
