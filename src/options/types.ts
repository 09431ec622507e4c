import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Clock, Random } from '../core/clock-and-random.ts'
import type { OtpAuthStorage } from '../storage/contract.ts'
import type { OtpAuthEvent } from '../types/events.ts'
import type { RouteName } from '../types/routes.ts'
import type { OtpAuthUser } from '../types/user.ts'

export type { Clock, Random }

/** A length of time: a number of **seconds**, or a string such as `'30s'`, `'15m'`, `'12h'`, `'7d'`. At most ten years. */
export type Duration = number | string

/** One email to send. */
export interface OtpEmail {
  /** The normalized address that is stored, not the text that the user typed. */
  email: string
  /** The code: digits, or 13 characters of Crockford's base 32 after a failure limit was reached. */
  code: string
  expiresAt: Date
  /**
   * `true` until a code sent to this address has been entered for the first time. If delivery is awaited, do the same amount
   * of work in both cases. Otherwise the response time reveals which one applies.
   */
  isNewUser: boolean
  request: FastifyRequest
}

/** When `isAllowed` is called. */
export type AccessStep = 'request' | 'verify' | 'refresh'

/** Limits for emails with codes. Whole numbers from 1 to 1,000,000; `reservePerDay` may be 0. */
export interface SendLimits {
  /** Emails to one mailbox per hour. @default 5 */
  perHour?: number
  /** Emails to one mailbox per day. @default 10 */
  perDay?: number
  /**
   * Additional emails to one mailbox per day after `perDay` is reached. They are reserved for networks that have not requested
   * a code for this mailbox in the last 24 hours. @default 10
   */
  reservePerDay?: number
  /** Emails to one mailbox per hour that one network (IPv4 /24, IPv6 /56) can request. @default 3 */
  perNetworkPerHour?: number
  /**
   * Emails to one address per hour that a remembered browser can request: a browser that has logged in with this address
   * before. @default 5
   */
  perDevicePerHour?: number
  /** The same per day. @default 10 */
  perDevicePerDay?: number
}

/** Limits for wrong codes. Whole numbers from 1 to 1,000,000. */
export interface FailureLimits {
  /** Wrong codes for one address per day. @default 20 */
  perDay?: number
  /**
   * Wrong codes for one address without a correct one in between. The count starts again 30 days after the last wrong code.
   * NIST SP 800-63B allows 100. @default 100
   */
  consecutive?: number
}

/** Attributes of the refresh cookie. The request and device cookies share `secure` and `sameSite`. */
export interface CookieOptions {
  /** Set `false` for plain HTTP in development. The cookie names then lose their `__Host-` prefix. @default true */
  secure?: boolean
  /** Set `'none'` for a page on another site. Also add that site to `trustedOrigins`. @default 'lax' */
  sameSite?: 'strict' | 'lax' | 'none'
  /** @default '/' */
  path?: string
  /** Shares the refresh cookie with subdomains. Each of them can then read it. @default none: only this host */
  domain?: string
  /** Partitioned cookies (CHIPS): the browser keeps separate cookies for each top-level site. @default false */
  partitioned?: boolean
}

/** What your application can add to one of the four routes. */
export type RouteOptions = Pick<RouteShorthandOptions, 'onRequest' | 'preHandler' | 'config'>

/** How many requests one IP address may send within a window. The window starts with the first request. */
export interface RateLimit {
  /** Whole number from 1 to 1,000,000. @default see {@link RateLimitOptions} */
  max?: number
  /** From one second to one hour. A number means **seconds**, not milliseconds. @default '10m' */
  timeWindow?: Duration
}

/** The part of a @fastify/rate-limit store that the IP rate limits use. */
export interface RateLimitStore {
  /**
   * Counts a request under `key`, in a window of `timeWindow` **milliseconds**. Calls `done` with the number of requests in
   * this window so far (`current`) and the milliseconds until the window ends (`ttl`). The route responds 503 if `incr` fails,
   * rejects, passes anything but two numbers, or does not call `done` within `rateLimit.timeout`.
   */
  incr (
    key: string, done: (error: Error | null, result?: { current: number, ttl: number }) => void, timeWindow: number, max: number
  ): void
}

/**
 * Rate limits per IP address for each route. IPv6 addresses are counted by /64. The limits are checked before the body is
 * read and before your own hooks for the route. They count every request that is not cross-site, whatever its response.
 *
 * The address is `request.ip`. Behind a proxy, set Fastify's `trustProxy` to the proxy's address; otherwise all users share
 * one limit. A port after the address is ignored. IPv4-mapped addresses and NAT64 addresses count as IPv4.
 *
 * Unless `redis` or `store` is set, this process counts in memory and remembers the last 50,000 addresses per limit. Windows
 * use the system clock, or the clock of the Redis server or of your store, not the option `clock`. If requests cannot be
 * counted, the routes respond `OTP_AUTH_STORAGE_UNAVAILABLE`.
 *
 * `config.rateLimit` in `routes` belongs to a @fastify/rate-limit of your own. Its limits apply in addition to these.
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
  /**
   * An ioredis client, if several processes must count together. Its keys contain `name` and the route. Your application
   * closes the client. @default none
   */
  redis?: object
  /**
   * A custom store class for @fastify/rate-limit. One object per limit is created at boot. An object without the method
   * `incr` is refused. Keys start with `name` and the route. @default none
   */
  store?: new (options: never) => RateLimitStore
  /** How long `redis` or `store` may take to respond: more than 0, at most a minute. @default '5s' */
  timeout?: Duration
}

/** The options of the plugin. Every length of time is a {@link Duration}. */
export interface OtpAuthOptions {
  /** Stores users, challenges, counters and sessions: one of the included adapters or your own. */
  storage: OtpAuthStorage
  /**
   * At least 32 bytes from a random generator. To rotate the secret, pass an array: the first one signs, all of them verify.
   * Each purpose has its own key, derived from the secret by HKDF (RFC 5869).
   */
  secretKey: string | Buffer | ReadonlyArray<string | Buffer>
  /**
   * Sends one code. An error is logged. If the response waits for the delivery (`awaitDelivery`), it is
   * `OTP_AUTH_DELIVERY_FAILED`.
   */
  sendOtp: (email: OtpEmail) => Promise<void> | void
  /**
   * The name of this instance of the plugin. It is part of the derived keys and of the counter keys, and of the cookie names
   * unless it is the default. 1 to 64 letters, digits, `_` or `-`. @default 'otp_auth'
   */
  name?: string
  /** Path of the four routes, without a slash at the end. `''` means no prefix. @default '/auth' */
  prefix?: string
  /** Lifetime of an access token. At least one second. The token never lives longer than its session. @default '15m' */
  accessTokenLifetime?: Duration
  /** Idle limit of a session: each refresh starts it again. At least one second. @default '7d' */
  refreshTokenLifetime?: Duration
  /** Absolute limit of a session, counted from the login. At least one second. @default '30d' */
  sessionLifetime?: Duration
  /**
   * How long the previous refresh token still works after a rotation, so that parallel tabs and lost responses do not log
   * anyone out. May be 0. The included client waits up to 10 s for a response and then sends the refresh once more. If you use
   * it, set at least 20 s. @default '30s'
   */
  refreshGracePeriod?: Duration
  /** Where refresh tokens are sent: in a cookie, in JSON bodies, or in both. @default 'cookie' */
  refreshTokenDelivery?: 'cookie' | 'body' | 'both'
  /** Digits in a code, 6 to 12. @default 6 */
  otpLength?: number
  /** Lifetime of a code: from one second to 10 minutes (NIST SP 800-63B). @default '10m' */
  otpExpiry?: Duration
  /** Attempts per requested code, at least 1. The plugin does not start if the value makes guessing too likely. @default 5 */
  maxOtpAttempts?: number
  /** Cooldown between two emails to one mailbox, in seconds (or a string). 0 means no cooldown. @default 60 */
  otpRateLimitSeconds?: Duration
  /** How many emails may be sent. @default see {@link SendLimits} */
  sendLimits?: SendLimits
  /** How many wrong codes an address can have before its next codes are long. @default see {@link FailureLimits} */
  failureLimits?: FailureLimits
  /**
   * What happens after a failure limit was reached: `'long-code'` sends codes that are too long to guess. `'refuse'` sends no
   * codes until the limit ends: for `perDay`, 24 hours after the first of these wrong codes; for `consecutive`, 30 days after
   * the last one. With `'refuse'` an attacker can lock an owner out. It is meant for front ends that can only take the short
   * code. @default 'long-code'
   */
  onFailureLimit?: 'long-code' | 'refuse'
  /** Refuses attempts without a request ID. @default false */
  requireRequestId?: boolean
  /** `false`: unknown addresses get the same responses and no email. @default true */
  autoCreateUser?: boolean
  /** Values for your own columns when a new user is created, which is when a code for a new address is entered. @default none */
  newUserFields?: (context: { email: string, request: FastifyRequest }) => Record<string, unknown> | Promise<Record<string, unknown>>
  /**
   * Decides who may log in, for example by domain or because a user is banned. Any result but `true` refuses:
   * at `request`, the response is the usual one and no email is sent; at `verify`, the response is `OTP_AUTH_INVALID_CODE` and
   * the code is used up; at `refresh`, it is `OTP_AUTH_INVALID_REFRESH_TOKEN`. Guards do not call it: to lock a user out at
   * once, also revoke the user's sessions. @default everyone
   */
  isAllowed?: (context: {
    email: string
    user?: OtpAuthUser
    request: FastifyRequest
    step: AccessStep
  }) => boolean | Promise<boolean>
  /**
   * Whether the response waits for the delivery. @default `true` if every address gets an email (`autoCreateUser` is on and
   * there is no `isAllowed`). Otherwise `false`, because the response time would reveal who gets one.
   */
  awaitDelivery?: boolean
  /**
   * How long a delivery may take. If an awaited delivery takes longer, the response is 503 and the code stays valid. When the
   * application closes, it waits up to this time for deliveries in progress. More than 0, at most 24 days. @default '10s'
   */
  deliveryTimeout?: Duration
  /**
   * Your own claims in access tokens. A reserved name (sub, sid, seq, jti, type, iat, exp, nbf, iss, aud) makes the login or
   * the refresh fail with `OTP_AUTH_RESERVED_CLAIM`. @default none
   */
  getAdditionalClaims?: (context: {
    user: OtpAuthUser
    request?: FastifyRequest
  }) => Record<string, unknown> | Promise<Record<string, unknown>>
  /** The claim `iss`: set in both tokens and required. @default none */
  issuer?: string
  /** The claim `aud`: set in both tokens and required. @default none */
  audience?: string
  /** @default 'HS256' */
  algorithm?: 'HS256' | 'HS384' | 'HS512'
  /** Every code consists of zeros, and short secrets are allowed. Refused in production and with secure cookies. @default false */
  developerMode?: boolean
  /** @default see {@link CookieOptions} */
  cookie?: CookieOptions
  /** Origins of other sites that may call the routes, such as `'https://app.example'`. @default none */
  trustedOrigins?: readonly string[]
  /** Hooks and config for the routes, such as a CAPTCHA before `/request-otp`. They run after the IP rate limits. @default none */
  routes?: Partial<Record<RouteName, RouteOptions>>
  /** Rate limits per IP address. `false`: no limits. @default see {@link RateLimitOptions} */
  rateLimit?: RateLimitOptions | false
  /**
   * Turns what the user typed into one spelling of the address, or throws. The result must still be a plain address. With this
   * option, local parts may contain non-ASCII characters, and your function decides about upper and lower case.
   * @default trims, and turns ASCII letters into lower case
   */
  normalizeEmail?: (typed: string) => string
  /**
   * How often expired rows are removed: from one second to 24 days. `false`: your application calls `app.otpAuth.cleanup()`.
   * @default '1h'
   */
  cleanupInterval?: Duration | false
  /**
   * Describes the four routes to @fastify/swagger, and adds `security` and the responses 401 and 403 to the routes that use a
   * guard. Register @fastify/swagger before this plugin; without it nothing happens. `false` hides the four routes from the
   * document and changes no other route. @default true
   */
  openapi?: boolean
  /**
   * Called with each {@link OtpAuthEvent}. It is not awaited. An error that it throws is logged and has no other effect.
   * Functions of `app.otpAuth` raise no events. @default none
   */
  onEvent?: (event: OtpAuthEvent) => void | Promise<void>
  /** @default Date.now */
  clock?: Clock
  /** @default node:crypto */
  random?: Random
}
