import { HOUR, MINUTE, SECOND } from '../core/duration.ts'
import { isFunction, isObject } from '../core/type-checks.ts'
import { invalidOption } from '../errors.ts'
import type { RouteName } from '../types/routes.ts'
import { optionReader, type OptionReader } from './reader.ts'
import type { RateLimitOptions } from './types.ts'

/** Requests per IP address in ten minutes: high enough for an office behind one address, low enough to slow down automated guessing. */
const DEFAULT_MAX: Record<RouteName, number> = { requestOtp: 60, verifyOtp: 120, refresh: 600, logout: 120 }

/**
 * Reads the option `rateLimit`.
 *
 * @returns the limit of each route (`null` if it is off) and the settings of the store; times are in milliseconds
 * @throws OTP_AUTH_INVALID_OPTION
 */
export function readRateLimit (options: OptionReader) {
  const given = options.objectOrFalse('rateLimit')
  const read = optionReader(given ?? {}, 'rateLimit.')

  function readLimit (name: RouteName) {
    const givenLimit = read.objectOrFalse(name)
    if (given === null || givenLimit === null) return null
    const reader = optionReader(givenLimit, `rateLimit.${name}.`)
    const limit = Object.freeze({
      max: reader.integer('max', DEFAULT_MAX[name], { min: 1 }),
      // At most an hour: locking an office out for longer would be harsh. The maximum also catches values in milliseconds,
      // which @fastify/rate-limit expects under this name. Here 60000 would mean more than 16 hours.
      timeWindow: reader.duration('timeWindow', 10 * MINUTE, { min: SECOND, max: HOUR })
    })
    reader.refuseUnknown()
    return limit
  }

  const limits = Object.freeze({
    requestOtp: readLimit('requestOtp'), verifyOtp: readLimit('verifyOtp'), refresh: readLimit('refresh'), logout: readLimit('logout')
  })
  const redis = read.optional('redis', isRedis, 'an ioredis client (not a client of the package redis, which has another interface)') as RateLimitOptions['redis']
  const store = read.optional('store', isClass, 'a custom store class for @fastify/rate-limit') as RateLimitOptions['store']
  if (redis !== undefined && store !== undefined) throw invalidOption('rateLimit.store must be left out if rateLimit.redis is set')

  const resolved = Object.freeze({
    limits,
    redis,
    store,
    timeout: read.duration('timeout', 5 * SECOND, { min: 1, max: MINUTE })
  })
  read.refuseUnknown()
  return resolved
}

/** Whether a value can be called with `new`: arrow functions, methods and async functions have no prototype. */
function isClass (value: unknown): boolean {
  return isFunction(value) && (value as { prototype?: unknown }).prototype !== undefined
}

/** The package `redis` has another interface, which @fastify/rate-limit does not support. */
function isRedis (value: unknown): boolean {
  return isObject(value) && isFunction((value as Record<string, unknown>)['defineCommand'])
}
