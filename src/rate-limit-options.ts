import { HOUR, MINUTE, SECOND } from './core/duration.ts'
import { InvalidOption } from './errors.ts'
import { isFunction, isObject, optionReader, type OptionReader } from './option-reader.ts'
import type { RateLimitOptions, RouteName } from './option-types.ts'

/** Requests from one IP address in ten minutes: an office behind one address gets by, a machine that tries all day does not. */
const REQUESTS: Record<RouteName, number> = { requestOtp: 60, verifyOtp: 120, refresh: 600, logout: 120 }

/**
 * @returns each limit, null where it is off, with times in milliseconds, and where the counts are kept
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
      max: limit.integer('max', REQUESTS[name], { min: 1 }),
      // No more than an hour: that is long to shut out an office for, and milliseconds, which @fastify/rate-limit takes
      // under this name, are refused and not read as hours.
      timeWindow: limit.duration('timeWindow', 10 * MINUTE, { min: SECOND, max: HOUR })
    })
    limit.refuseUnknown()
    return resolved
  }

  const limits = Object.freeze({
    requestOtp: limit('requestOtp'), verifyOtp: limit('verifyOtp'), refresh: limit('refresh'), logout: limit('logout')
  })
  const redis = read.optional('redis', isRedis, 'a client of ioredis (not of the package redis, whose interface differs)') as RateLimitOptions['redis']
  const store = read.optional('store', isClass, 'a class, as @fastify/rate-limit takes it') as RateLimitOptions['store']
  if (redis !== undefined && store !== undefined) throw new InvalidOption('rateLimit.store must be left out where rateLimit.redis is set')

  const resolved = Object.freeze({
    limits,
    redis,
    store,
    timeout: read.duration('timeout', 5 * SECOND, { min: 1, max: MINUTE })
  })
  read.refuseUnknown()
  return resolved
}

/** What can be called with `new`: arrow functions, methods and async functions have no prototype. */
function isClass (value: unknown): boolean {
  return isFunction(value) && (value as { prototype?: unknown }).prototype !== undefined
}

/** The package `redis` has another interface, which @fastify/rate-limit does not speak. */
function isRedis (value: unknown): boolean {
  return isObject(value) && isFunction((value as Record<string, unknown>)['defineCommand'])
}
