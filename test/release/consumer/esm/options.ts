/** Options that are valid, and options that the compiler must refuse. It is compiled and never run. */
import type { FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import otpAuth, { type OtpAuthOptions, type OtpAuthStorage } from 'fastify-otp-auth'

declare const storage: OtpAuthStorage
declare class Store {
  constructor (options: { timeWindow: number })
  incr (key: string, done: (error: Error | null, result?: { current: number, ttl: number }) => void): void
}
const required = { storage, secretKey: 'x', sendOtp: () => {} }

export const right: OtpAuthOptions[] = [
  required,
  { ...required, secretKey: Buffer.alloc(32) },
  { ...required, secretKey: ['new', Buffer.alloc(32)] as const, sendOtp: async () => {} },
  { ...required, accessTokenLifetime: 60, refreshTokenLifetime: '7d', cleanupInterval: false },
  { ...required, cookie: { secure: true, sameSite: 'none', partitioned: true }, trustedOrigins: ['https://a.example'] as const },
  { ...required, routes: { requestOtp: { onRequest: async () => {}, config: { a: 1 } as never } } },
  { ...required, isAllowed: () => true, newUserFields: async () => ({}), getAdditionalClaims: () => ({}), onEvent: async () => {} },
  { ...required, rateLimit: false },
  { ...required, rateLimit: { requestOtp: { max: 10, timeWindow: '1m' }, logout: false, timeout: 1, redis: new Redis({ lazyConnect: true }) } },
  { ...required, rateLimit: { store: Store } },
  { ...required, rateLimit: { store: {} as FastifyRateLimitStoreCtor } },
  { ...required, name: undefined, prefix: undefined, cookie: undefined, clock: undefined }
]

export const wrong: OtpAuthOptions[] = [
  // @ts-expect-error required: storage
  { secretKey: 'x', sendOtp: () => {} },
  // @ts-expect-error required: secretKey
  { storage, sendOtp: () => {} },
  // @ts-expect-error required: sendOtp
  { storage, secretKey: 'x' },
  // @ts-expect-error an environment variable that can be missing
  { ...required, secretKey: process.env['OTP_AUTH_SECRET'] },
  // @ts-expect-error an unknown option
  { ...required, otpLenght: 6 },
  // @ts-expect-error the spelling of the Python library
  { ...required, otp_length: 6 },
  // @ts-expect-error a typo in a nested option
  { ...required, cookie: { samesite: 'lax' } },
  // @ts-expect-error a value that is not allowed
  { ...required, cookie: { sameSite: 'Lax' } },
  // @ts-expect-error an option of @fastify/cookie that we do not have
  { ...required, cookie: { httpOnly: false } },
  // @ts-expect-error a typo in sendLimits
  { ...required, sendLimits: { perhour: 1 } },
  // @ts-expect-error a typo in failureLimits
  { ...required, failureLimits: { perHour: 1 } },
  // @ts-expect-error true is not a limit
  { ...required, rateLimit: true },
  // @ts-expect-error a typo in the limit of a route
  { ...required, rateLimit: { refresh: { timewindow: 60 } } },
  // @ts-expect-error a class that does not count
  { ...required, rateLimit: { store: Date } },
  // @ts-expect-error a route that we do not have
  { ...required, routes: { login: {} } },
  // @ts-expect-error an option that our routes do not accept
  { ...required, routes: { logout: { schema: {} } } },
  // @ts-expect-error a value that is not allowed
  { ...required, refreshTokenDelivery: 'header' },
  // @ts-expect-error an algorithm that we do not support
  { ...required, algorithm: 'RS256' },
  // @ts-expect-error true is not an interval
  { ...required, cleanupInterval: true },
  // @ts-expect-error a text is not a length
  { ...required, otpLength: '6' },
  // @ts-expect-error isAllowed must decide
  { ...required, isAllowed: () => 'yes' },
  // @ts-expect-error a field that the email does not have
  { ...required, sendOtp: ({ phone }) => { String(phone) } }
]

const app = Fastify()
app.register(otpAuth, required)
// @ts-expect-error register knows the types of the options
app.register(otpAuth, { ...required, otpLength: 'six' })
// @ts-expect-error register knows that options are required
app.register(otpAuth)
