import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { OtpAuthStorage } from './storage/storage.ts'
import type { OtpAuthEvent, OtpAuthUser } from './types.ts'

/** A length of time: a number of **seconds**, or a string such as `'30s'`, `'15m'`, `'12h'`, `'7d'`; ten years at most. */
export type Duration = number | string

/** One mail to send. */
export interface OtpMail {
  /** The normalised address that was stored, never the text that was typed. */
  email: string
  /** The code: digits, or 13 characters of Crockford's base 32 once the failure budget is spent. */
  code: string
  expiresAt: Date
  /**
   * Whether nobody has proven this address yet. Where delivery is awaited, doing more work for one than for the other
   * tells a stranger which it is.
   */
  isNewUser: boolean
  request: FastifyRequest
}

/** The moment at which `isAllowed` is asked. */
export type AccessStep = 'request' | 'verify' | 'refresh'

/** Limits on mails with codes. Whole numbers from 1 to 1,000,000; `reservePerDay` may be 0. */
export interface SendBudget {
  /** Mails to one mailbox in an hour. @default 5 */
  perHour?: number
  /** Mails to one mailbox in a day. @default 10 */
  perDay?: number
  /** Mails to one mailbox in a day beyond `perDay`, for networks that had sent it nothing for 24 h. @default 10 */
  reservePerDay?: number
  /** Mails that one network (IPv4 /24, IPv6 /56) sends to one mailbox in an hour. @default 3 */
  perNetworkPerHour?: number
  /** Mails in an hour to a browser that has logged in to the address before. @default 5 */
  perDevicePerHour?: number
  /** The same in a day. @default 10 */
  perDevicePerDay?: number
}

/** Limits on wrong codes. Whole numbers from 1 to 1,000,000. */
export interface FailureBudget {
  /** Wrong codes for one address in a day. @default 20 */
  perDay?: number
  /**
   * Wrong codes for one address with no right one between them; counted anew 30 days after the last. NIST SP 800-63B allows
   * 100. @default 100
   */
  inARow?: number
}

/** Attributes of the refresh cookie; the request and device cookies share `secure` and `sameSite`. */
export interface CookieOptions {
  /** `false` for plain http in development: the names lose their `__Host-` prefix. @default true */
  secure?: boolean
  /** `'none'` for a page on another site, which must also be in `trustedOrigins`. @default 'lax' */
  sameSite?: 'strict' | 'lax' | 'none'
  /** @default '/' */
  path?: string
  /** Shares the refresh cookie with subdomains, each of which can then read it. @default none: this host alone */
  domain?: string
  /** CHIPS: a jar for each top-level site. @default false */
  partitioned?: boolean
}

/** One of the four routes. */
export type RouteName = 'requestOtp' | 'verifyOtp' | 'refresh' | 'logout'

/** What a route of ours takes from the host. */
export type RouteOptions = Pick<RouteShorthandOptions, 'onRequest' | 'preHandler' | 'config'>

/** So many requests from one IP address, in a window that starts at the first of them. */
export interface RateLimit {
  /** Whole number from 1 to 1,000,000. @default that of the route, see {@link RateLimitOptions} */
  max?: number
  /** From a second to an hour; a number is **seconds**, not milliseconds. @default '10m' */
  timeWindow?: Duration
}

/** The part of a store for @fastify/rate-limit that the limits use. */
export interface RateLimitStore {
  /**
   * Counts a request under `key`, in a window of `timeWindow` **milliseconds**, and calls `done` with how many there were in that
   * window so far (`current`) and the milliseconds left of it (`ttl`). An error, a rejection, no call within `rateLimit.timeout`,
   * or an answer without the two numbers is answered 503.
   */
  incr (
    key: string, done: (error: Error | null, result?: { current: number, ttl: number }) => void, timeWindow: number, max: number
  ): void
}

/**
 * Limits per IP address, IPv6 by /64, for each route. They are asked before a body is read and before the host's own hooks
 * for the route, and count every request that is not cross-site, whatever its answer. The address is `request.ip`: behind a
 * proxy set Fastify's `trustProxy` to its address, or all users share one limit. A port beside it is left out, and IPv4 within
 * IPv6 (mapped, or through a translator) counts as IPv4.
 *
 * The counts are in this process's memory, of the last 50,000 addresses a limit, unless `redis` or `store` says otherwise, and
 * their windows run by the system's or the server's clock, not by `clock`. Where they cannot be kept, the routes answer
 * `OTP_AUTH_STORAGE_UNAVAILABLE`.
 *
 * `config.rateLimit` in `routes` is for a @fastify/rate-limit of the host's own, whose limits hold beside these.
 */
export interface RateLimitOptions {
  /** `false`: no limit. @default { max: 60, timeWindow: '10m' } */
  requestOtp?: RateLimit | false
  /** `false`: no limit. @default { max: 120, timeWindow: '10m' } */
  verifyOtp?: RateLimit | false
  /** `false`: no limit. @default { max: 600, timeWindow: '10m' } */
  refresh?: RateLimit | false
  /** `false`: no limit. @default { max: 120, timeWindow: '10m' } */
  logout?: RateLimit | false
  /** A client of ioredis, for several processes; its keys hold `name` and the route. It stays the host's to close. @default none */
  redis?: object
  /**
   * A class for another store, as @fastify/rate-limit takes it. One object of it is made for each limit, at boot; one without
   * `incr` is refused. Keys begin with `name` and the route. @default none
   */
  store?: new (options: never) => RateLimitStore
  /** How long `redis` or `store` may take for an answer: more than 0, at most a minute. @default '5s' */
  timeout?: Duration
}

/** Time, in epoch milliseconds. */
export type Clock = () => number

/** Randomness; tests hand in their own. */
export interface Random {
  /** Cryptographically strong bytes. */
  bytes (size: number): Buffer
  /** A uniform whole number from 0 to below `max`. */
  int (max: number): number
}

/** The options of the plugin. Every length of time is a {@link Duration}. */
export interface OtpAuthOptions {
  /** Where users, challenges, budgets and sessions are kept: one of the shipped adapters or your own. */
  storage: OtpAuthStorage
  /**
   * At least 32 bytes, from a generator of random bytes. An array rotates: the first signs, all verify.
   * Every purpose has a key of its own, derived by HKDF (RFC 5869).
   */
  secretKey: string | Buffer | ReadonlyArray<string | Buffer>
  /** Sends one code. What it throws or rejects with is logged and answered `OTP_AUTH_DELIVERY_FAILED` where awaited. */
  sendOtp: (mail: OtpMail) => Promise<void> | void
  /** Names the instance, in its keys and (any but the default) its cookies: 1 to 64 letters, digits, `_` or `-`. @default 'otp_auth' */
  name?: string
  /** Path of the four routes, without a slash at its end; `''` for none. @default '/auth' */
  prefix?: string
  /** Of an access token, at least a second; a session that ends sooner cuts it short. @default '15m' */
  accessTokenLifetime?: Duration
  /** Idle: each refresh starts it anew. At least a second. @default '7d' */
  refreshTokenLifetime?: Duration
  /** Absolute: from the login, whatever is refreshed. At least a second. @default '30d' */
  sessionLifetime?: Duration
  /**
   * How long the step before the current one of a refresh token still works, for parallel tabs and lost answers; may be 0. The
   * shipped client sends a refresh without an answer again, up to 10 s after the first: leave it at 20 s or more for that.
   * @default '30s'
   */
  refreshGracePeriod?: Duration
  /** Where refresh tokens travel. @default 'cookie' */
  refreshTokenDelivery?: 'cookie' | 'body' | 'both'
  /** Digits in a code, 6 to 12. @default 6 */
  otpLength?: number
  /** From a second to 10 minutes (NIST SP 800-63B). @default '10m' */
  otpExpiry?: Duration
  /** Guesses per request: a whole number from 1, as far as the odds of a stranger allow. @default 5 */
  maxOtpAttempts?: number
  /** The cool-down between two mails to one mailbox, in seconds (or a string); 0: none. @default 60 */
  otpRateLimitSeconds?: Duration
  /** How many mails may go out. @default see {@link SendBudget} */
  sendBudget?: SendBudget
  /** How many wrong codes are taken before codes get long. @default see {@link FailureBudget} */
  failureBudget?: FailureBudget
  /**
   * What follows a spent failure budget: codes too long to guess, or no codes until it ends (`perDay` with its window,
   * `inARow` 30 days after the last wrong code). `'refuse'` lets a stranger lock an owner out; it is for front ends that can
   * only take the short code. @default 'long-code'
   */
  onFailureBudget?: 'long-code' | 'refuse'
  /** Refuses guesses that come without the id of their request. @default false */
  requireRequestId?: boolean
  /** `false`: unknown addresses get the same answers and no mail. @default true */
  autoCreateUser?: boolean
  /** The host's own columns of a user made at first proof. @default none */
  newUserFields?: (context: { email: string, request: FastifyRequest }) => Record<string, unknown> | Promise<Record<string, unknown>>
  /**
   * Domain lists, banned users. Anything but `true` refuses: at `request` with the same answer as anybody and no mail, at
   * `verify` with `OTP_AUTH_INVALID_CODE` (the code is used up), at `refresh` with `OTP_AUTH_INVALID_REFRESH_TOKEN`. The guards
   * do not ask: revoke sessions to shut somebody out at once. @default everybody
   */
  isAllowed?: (context: {
    email: string
    user?: OtpAuthUser
    request: FastifyRequest
    step: AccessStep
  }) => boolean | Promise<boolean>
  /**
   * Whether the answer waits for the mail. @default `true` where every address gets one (`autoCreateUser` on, no
   * `isAllowed`), else `false`, for the time would tell
   */
  awaitDelivery?: boolean
  /**
   * How long an awaited mail may take before the answer is 503, with its code still good; `close` waits as long for mails
   * under way. More than 0, at most 24 days. @default '10s'
   */
  deliveryTimeout?: Duration
  /**
   * Claims of the host's own in access tokens. A reserved name (sub, sid, seq, jti, type, iat, exp, nbf, iss, aud) makes
   * the login or refresh fail with `OTP_AUTH_RESERVED_CLAIM`. @default none
   */
  getAdditionalClaims?: (context: {
    user: OtpAuthUser
    request?: FastifyRequest
  }) => Record<string, unknown> | Promise<Record<string, unknown>>
  /** `iss` of both tokens, set and required. @default none */
  issuer?: string
  /** `aud` of both tokens, set and required. @default none */
  audience?: string
  /** @default 'HS256' */
  algorithm?: 'HS256' | 'HS384' | 'HS512'
  /** Every code is zeros and short secrets are allowed; refused in production and with secure cookies. @default false */
  developerMode?: boolean
  /** @default see {@link CookieOptions} */
  cookie?: CookieOptions
  /** Origins of other sites that may call the routes, e.g. `'https://app.example'`. @default none */
  trustedOrigins?: readonly string[]
  /** Hooks and config for our routes, e.g. a CAPTCHA before `/request-otp`; they run behind the limits per IP. @default none */
  routes?: Partial<Record<RouteName, RouteOptions>>
  /** Limits per IP address; `false`: none. @default see {@link RateLimitOptions} */
  rateLimit?: RateLimitOptions | false
  /**
   * Turns what was typed into one spelling of the address, or throws. What it returns must still be a plain address;
   * non-ASCII local parts are allowed then, and upper and lower case are the host's to fold.
   * @default trims, and folds ASCII to lower case
   */
  normalizeEmail?: (typed: string) => string
  /** How often what is over is removed, from a second to 24 days; `false`: the host calls `app.otpAuth.cleanup()`. @default '1h' */
  cleanupInterval?: Duration | false
  /**
   * Describes the four routes to @fastify/swagger, and has the guards mark the routes that use them: `security`, and the
   * answers 401 and 403. It must be registered before this plugin; without it nothing happens. `false` hides the four
   * routes from the document and leaves all others alone. @default true
   */
  openapi?: boolean
  /**
   * Told of each {@link OtpAuthEvent} and not awaited; what it throws is logged and goes no further. What the host does
   * itself through `app.otpAuth` raises none. @default none
   */
  onEvent?: (event: OtpAuthEvent) => void | Promise<void>
  /** @default Date.now */
  clock?: Clock
  /** @default node:crypto */
  random?: Random
}
