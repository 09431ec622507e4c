import fastifyRateLimit, { type FastifyRateLimitStoreCtor, type RateLimitPluginOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { inTime } from '../core/in-time.ts'
import { sourceOf } from '../core/network.ts'
import { isOurs, storageUnavailable, tooManyRequests, withoutValues } from '../errors.ts'
import type { Flow } from '../flows/flow.ts'
import { withErrorHeaders } from '../http/error-headers.ts'
import type { RouteName } from '../option-types.ts'
import { MemoryStore, checkedStore, withOwnCommands } from './limit-stores.ts'

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/**
 * Declares a route of ours behind its limit per IP, in a context of its own: @fastify/rate-limit holds one limit in its
 * register options, and all that it leaves on a context (its decorators too) a host's own instance may have left there before.
 *
 * The limit comes after the cross-site check, so that no foreign page spends the limit of its visitors, and before all
 * that costs more: the host's hooks for the route, which may ask a CAPTCHA service, the body, and storage.
 */
export async function limitPerIp (
  scope: FastifyInstance, flow: Flow, name: RouteName, declare: (context: FastifyInstance) => void
): Promise<void> {
  const settings = limitSettings(flow, name)
  if (settings === null) return declare(scope)

  await scope.register(async (context) => {
    // What the host has on the route is laid aside while @fastify/rate-limit looks at it: `config.rateLimit` is meant for
    // the host's own instance and would replace our limit, or take it away, and hooks would come before it.
    let config: object | undefined
    let hooks: unknown[] = []
    context.addHook('onRoute', (route) => {
      config = route.config
      hooks = [route.onRequest ?? []].flat()
      Object.assign(route, { config: { ...config, rateLimit: undefined }, onRequest: [] })
    })
    await context.register(fastifyRateLimit, settings)
    context.addHook('onRoute', (route) => {
      const [limit] = route.onRequest as [Hook]
      Object.assign(route, { config, onRequest: [withErrorHeaders(answerInTime(limit, flow.options.rateLimit.timeout)), ...hooks] })
    })
    declare(context)
  })
}

/** What is registered for a limit; null where it is off. */
function limitSettings ({ options, emit }: Flow, route: RouteName): RateLimitPluginOptions | null {
  const { limits: { [route]: limit }, redis, store } = options.rateLimit
  return limit === null
    ? null
    : {
        ...limit,
        ...(redis === undefined
          ? { store: (store === undefined ? MemoryStore : checkedStore(store)) as unknown as FastifyRateLimitStoreCtor }
          : { redis: withOwnCommands(redis) }),
        // Told apart in the key, for a store of the host's own is not told the name space.
        keyGenerator: ({ ip }) => `${options.name}:${route}:${sourceOf(ip)}`,
        // What it calls a ban is any refusal but the first of a window; so the first is told, and a flood is one event.
        ban: 1,
        errorResponseBuilder: (_request, { ttl, ban }) => {
          if (!ban) emit({ type: 'ip.limited', route })
          return tooManyRequests(ttl)
        },
        // The host's own limiter may have set these; Retry-After comes with our error and is all that a client needs.
        addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false },
        addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
      }
}

/**
 * The same hook, whose store answers in time or refuses the request: nothing else bounds one guess at each of many
 * accounts, and who can bring the store down must not get rid of the bound. No guard asks it, so whoever is logged in stays so.
 */
function answerInTime (limit: Hook, timeout: number): Hook {
  return async (request, reply) => {
    try {
      await inTime(limit(request, reply), timeout, `the store of the limits per IP gave no answer within ${timeout} ms`)
    } catch (error) {
      throw isOurs(error) ? error : storageUnavailable(withoutValues(error))
    }
  }
}
