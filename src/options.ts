import { randomBytes, randomInt } from 'node:crypto'
import { DAY, MINUTE, HOUR, SECOND } from './core/duration.ts'
import { MAX_ODDS, MAX_OTP_EXPIRY, guessingOdds } from './core/odds.ts'
import { InvalidOption } from './errors.ts'
import { isFunction, isObject, optionReader, type OptionReader } from './option-reader.ts'
import { readRateLimit } from './rate-limit-options.ts'
import { STORAGE_VERBS } from './storage/fail-closed.ts'
import type { OtpAuthOptions } from './option-types.ts'

/** NIST SP 800-107: a key of an HMAC should be no shorter than its output. */
const MIN_SECRET_BYTES = 32

/** Node's timers hold 2^31 milliseconds, some 24.8 days; what is longer fires at once. */
const MAX_TIMER = 24 * DAY

/** What may stand in these attributes; anything else would make every answer that sets a cookie an error. */
const COOKIE_PATH = /^\/[\w.~!$&'()*+:=@%/-]*$/
const COOKIE_DOMAIN = /^\.?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** The options as the rest of the package reads them: whole, checked, frozen; every time in milliseconds. */
export type ResolvedOptions = ReturnType<typeof resolveOptions>

/**
 * @throws InvalidOption (`OTP_AUTH_INVALID_OPTION`) for an unknown name, a wrong type or a value that is not allowed; the
 * message names the option and says what is expected
 */
export function resolveOptions (given: OtpAuthOptions) {
  const read = optionReader(given as unknown as Record<string, unknown>, '')
  const sendBudget = optionReader(read.object('sendBudget'), 'sendBudget.')
  const failureBudget = optionReader(read.object('failureBudget'), 'failureBudget.')
  const cookie = optionReader(read.object('cookie'), 'cookie.')
  const routes = optionReader(read.object('routes'), 'routes.')
  const developerMode = read.boolean('developerMode', false)
  const autoCreateUser = read.boolean('autoCreateUser', true)
  const isAllowed = read.optionalFunction<NonNullable<OtpAuthOptions['isAllowed']>>('isAllowed')

  const options = Object.freeze({
    storage: read.required('storage', isStorage, 'a storage adapter, e.g. drizzleStorage(db)') as OtpAuthOptions['storage'],
    secrets: readSecrets(given.secretKey, developerMode, read),
    sendOtp: read.required('sendOtp', isFunction, 'a function') as OtpAuthOptions['sendOtp'],
    name: read.matching('name', 'otp_auth', /^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, "_" or "-"'),
    prefix: read.matching('prefix', '/auth', /^(?:\/[A-Za-z0-9._~-]+)*$/, 'a path such as "/auth", or ""'),
    accessTokenLifetime: read.duration('accessTokenLifetime', 15 * MINUTE, { min: SECOND }),
    refreshTokenLifetime: read.duration('refreshTokenLifetime', 7 * DAY, { min: SECOND }),
    sessionLifetime: read.duration('sessionLifetime', 30 * DAY, { min: SECOND }),
    refreshGracePeriod: read.duration('refreshGracePeriod', 30 * SECOND, { min: 0 }),
    refreshTokenDelivery: read.oneOf('refreshTokenDelivery', 'cookie', ['cookie', 'body', 'both'] as const),
    otpLength: read.integer('otpLength', 6, { min: 6, max: 12 }),
    otpExpiry: read.duration('otpExpiry', MAX_OTP_EXPIRY, { min: SECOND, max: MAX_OTP_EXPIRY }),
    maxOtpAttempts: read.integer('maxOtpAttempts', 5, { min: 1 }),
    cooldown: read.duration('otpRateLimitSeconds', MINUTE, { min: 0 }),
    sendBudget: Object.freeze({
      perHour: sendBudget.integer('perHour', 5, { min: 1 }),
      perDay: sendBudget.integer('perDay', 10, { min: 1 }),
      reservePerDay: sendBudget.integer('reservePerDay', 10, { min: 0 }),
      perNetworkPerHour: sendBudget.integer('perNetworkPerHour', 3, { min: 1 }),
      perDevicePerHour: sendBudget.integer('perDevicePerHour', 5, { min: 1 }),
      perDevicePerDay: sendBudget.integer('perDevicePerDay', 10, { min: 1 })
    }),
    failureBudget: Object.freeze({
      perDay: failureBudget.integer('perDay', 20, { min: 1 }),
      inARow: failureBudget.integer('inARow', 100, { min: 1 })
    }),
    onFailureBudget: read.oneOf('onFailureBudget', 'long-code', ['long-code', 'refuse'] as const),
    requireRequestId: read.boolean('requireRequestId', false),
    autoCreateUser,
    newUserFields: read.optionalFunction<NonNullable<OtpAuthOptions['newUserFields']>>('newUserFields'),
    isAllowed,
    // Where not everybody is mailed, an answer that waited for the mail would tell who is.
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
    clock: (read.optionalFunction('clock') ?? Date.now) as () => number,
    random: (read.optional('random', isRandom, 'an object with the functions bytes and int') ?? systemRandom) as typeof systemRandom
  })

  for (const one of [read, sendBudget, failureBudget, cookie, routes]) one.refuseUnknown()
  refuseUnsafe(options)
  return options
}

const systemRandom = { bytes: (size: number): Buffer => randomBytes(size), int: (max: number): number => randomInt(max) }

/** What is right one by one and wrong together. */
function refuseUnsafe (options: {
  developerMode: boolean
  cookie: { secure: boolean, sameSite: string, partitioned: boolean }
} & Parameters<typeof guessingOdds>[0]): void {
  const { cookie, developerMode } = options
  if (!cookie.secure && (cookie.sameSite === 'none' || cookie.partitioned)) {
    throw new InvalidOption('cookie.secure must be true with sameSite "none" or partitioned: browsers drop such cookies otherwise')
  }
  if (developerMode && process.env['NODE_ENV'] === 'production') {
    throw new InvalidOption('developerMode must be false when NODE_ENV is "production": every code is zeros')
  }
  if (developerMode && cookie.secure) {
    throw new InvalidOption('developerMode needs cookie.secure to be false, so that it cannot be left on behind https')
  }
  const odds = guessingOdds(options)
  if (odds > MAX_ODDS) {
    throw new InvalidOption('failureBudget, maxOtpAttempts, sendBudget and otpLength let a stranger guess into an account with odds of ' +
      `${odds.toExponential(1)} a day; expected at most ${MAX_ODDS}: lower a limit or raise otpLength`)
  }
}

function readSecrets (given: unknown, developerMode: boolean, read: OptionReader): readonly Buffer[] {
  read.markKnown('secretKey')
  const list: unknown[] = Array.isArray(given) ? Array.from(given) : [given]
  const secrets = list.map((secret) => {
    if (typeof secret === 'string') return Buffer.from(secret)
    if (Buffer.isBuffer(secret)) return secret
    throw new InvalidOption('secretKey must be a string or a Buffer, or an array of them; did you forget to set the variable it comes from?')
  })
  const shortest = developerMode ? 1 : MIN_SECRET_BYTES
  if (secrets.length === 0 || secrets.some((secret) => secret.length < shortest)) {
    throw new InvalidOption(`secretKey must have at least ${shortest} bytes, each where it is an array; make one with "openssl rand -base64 32"`)
  }
  return Object.freeze(secrets)
}

function isStorage (value: unknown): boolean {
  return isObject(value) && STORAGE_VERBS.every((verb) => isFunction((value as Record<string, unknown>)[verb]))
}

function isRandom (value: unknown): boolean {
  return isObject(value) && ['bytes', 'int'].every((name) => isFunction((value as Record<string, unknown>)[name]))
}
