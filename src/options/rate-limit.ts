import { HOUR, MINUTE, SECOND } from '../core/duration.ts'
import { isFunction, isObject } from '../core/type-checks.ts'
import { InvalidOption } from '../errors.ts'
import type { RouteName } from '../types/events.ts'
import { optionReader, type OptionReader } from './reader.ts'
import type { RateLimitOptions } from './types.ts'

/** Requests per IP address in ten minutes: enough for an office behind one address, too few for a machine that tries all day. */
const DEFAULT_MAX: Record<RouteName, number> = { requestOtp: 60, verifyOtp: 120, refresh: 600, logout: 120 }

/**
 * Reads the option `rateLimit`.
 *
 * @returns each limit (`null` if it is off) with times in milliseconds, and where requests are counted
 * @throws InvalidOption
 */
export function readRateLimit (options: OptionReader) {
  const given = options.objectOrFalse('rateLimit')
  const read = optionReader(given ?? {}, 'rateLimit.')

  function limit (name: RouteName) {
    const one = read.objectOrFalse(name)
    if (given === null || one === null) return null
    const limit = optionReader(one, `rateLimit.${name}.`)
    const resolved = Object.freeze({
      max: limit.integer('max', DEFAULT_MAX[name], { min: 1 }),
      // At most an hour: locking an office out for longer would be harsh. The bound also catches milliseconds, which
      // @fastify/rate-limit takes under this name and which would be read as hours here.
      timeWindow: limit.duration('timeWindow', 10 * MINUTE, { min: SECOND, max: HOUR })
    })
    limit.refuseUnknown()
    return resolved
  }

  const limits = Object.freeze({
    requestOtp: limit('requestOtp'), verifyOtp: limit('verifyOtp'), refresh: limit('refresh'), logout: limit('logout')
  })
  const redis = read.optional('redis', isRedis, 'an ioredis client (not a client of the package redis, which has another interface)') as RateLimitOptions['redis']
  const store = read.optional('store', isClass, 'a store class of the kind that @fastify/rate-limit takes') as RateLimitOptions['store']
  if (redis !== undefined && store !== undefined) throw new InvalidOption('rateLimit.store must be left out if rateLimit.redis is set')

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
