import fastifyRateLimit, { type FastifyRateLimitStoreCtor, type RateLimitPluginOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { loggableError } from '../core/error-causes.ts'
import { sourceOf } from '../core/network.ts'
import { withTimeout } from '../core/with-timeout.ts'
import { isOtpAuthError, storageUnavailable, tooManyRequests } from '../errors.ts'
import { withErrorHeaders } from '../http/error-responses.ts'
import type { Services } from '../services/services.ts'
import type { RouteName } from '../types/routes.ts'
import { MemoryStore, checkedStore, withOwnCommands } from './stores.ts'

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/**
 * Declares one of our routes with its IP rate limit, in a scope of its own. @fastify/rate-limit takes one limit per
 * registration, and the application may already have registered it in an outer scope, with the same decorators.
 *
 * The limit is checked after the cross-site check, so that another site cannot use up the limit of its visitors. It is checked
 * before everything that costs more: the application's hooks for the route (which may call a CAPTCHA service), the body, and
 * storage.
 */
export async function addIpLimit (
  scope: FastifyInstance, services: Services, name: RouteName, declare: (limited: FastifyInstance) => void
): Promise<void> {
  const settings = limitSettings(services, name)
  if (settings === null) return declare(scope)

  await scope.register(async (limited) => {
    // The application's config and hooks for the route are hidden while @fastify/rate-limit reads it. `config.rateLimit` is
    // meant for the application's own rate limits and would replace ours, and the application's hooks would run first.
    let config: object | undefined
    let hooks: unknown[] = []
    limited.addHook('onRoute', (route) => {
      config = route.config
      hooks = [route.onRequest ?? []].flat()
      Object.assign(route, { config: { ...config, rateLimit: undefined }, onRequest: [] })
    })
    await limited.register(fastifyRateLimit, settings)
    limited.addHook('onRoute', (route) => {
      const [limit] = route.onRequest as [Hook]
      const check = refuseIfNotCounted(limit, services.options.rateLimit.timeout)
      Object.assign(route, { config, onRequest: [withErrorHeaders(check), ...hooks] })
    })
    declare(limited)
  })
}

/** The options for @fastify/rate-limit, or `null` if the limit is off. */
function limitSettings ({ options, emit }: Services, route: RouteName): RateLimitPluginOptions | null {
  const { limits: { [route]: limit }, redis, store } = options.rateLimit
  return limit === null
    ? null
    : {
        ...limit,
        ...(redis === undefined
          ? { store: (store === undefined ? MemoryStore : checkedStore(store)) as unknown as FastifyRateLimitStoreCtor }
          : { redis: withOwnCommands(redis) }),
        // The key contains name and route, because @fastify/rate-limit passes no namespace to a custom store.
        keyGenerator: ({ ip }) => `${options.name}:${route}:${sourceOf(ip)}`,
        // With `ban: 1`, @fastify/rate-limit marks every refusal but the first of a window. So a flood raises one event.
        ban: 1,
        errorResponseBuilder: (_request, { ttl, ban }) => {
          if (!ban) emit({ type: 'ip-limit.reached', route })
          return tooManyRequests(ttl)
        },
        // A rate limit of the application may already have set these. Retry-After comes with our error, and clients need no more.
        addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false },
        addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
      }
}

/**
 * Refuses the request with a 503 if the store does not count it in time. Only this limit stops an attacker who tries one code
 * on each of many accounts, so bringing the store down must not remove it. Guards do not use it, so logged-in users are not
 * affected.
 */
function refuseIfNotCounted (limit: Hook, timeout: number): Hook {
  return async (request, reply) => {
    try {
      await withTimeout(limit(request, reply), timeout, `The rate limit store did not respond within ${timeout} ms`)
    } catch (error) {
      throw isOtpAuthError(error) ? error : storageUnavailable(loggableError(error))
    }
  }
}
