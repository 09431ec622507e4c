import fastifyRateLimit, { type RateLimitPluginOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp } from '../helpers/app.ts'

/** Sends `times` logouts from one IP address. @returns for each, whether it was admitted or which limiter refused it */
async function logouts (t: Test, times: number, options: Parameters<typeof buildApp>[1]) {
  const { browser } = await buildApp(t, { rateLimit: { logout: { max: 3 } }, ...options })
  const outcomes: string[] = []
  for (let time = 0; time < times; time++) {
    const { status, body } = await browser().logout()
    outcomes.push(status === 200 ? 'admitted' : body.code === 'OTP_AUTH_TOO_MANY_REQUESTS' ? 'plugin' : 'application')
  }
  return outcomes
}

const limiter = (options: RateLimitPluginOptions) => (app: FastifyInstance) => app.register(fastifyRateLimit, options)
const BY_PLUGIN = ['admitted', 'admitted', 'admitted', 'plugin', 'plugin']

for (const when of ['before', 'after'] as const) {
  for (const global of [true, false]) {
    t.test(`the plugin's limit works next to a limiter of the application, global: ${global}, registered ${when} the plugin`, async (t) => {
      t.strictSame(await logouts(t, 5, { [when]: limiter({ global }) }), BY_PLUGIN)
    })
  }

  t.test(`only a limiter of the application, registered ${when} the plugin, sets x-ratelimit headers`, async (t) => {
    const { browser } = await buildApp(t, { [when]: limiter({ max: 50 }), rateLimit: { logout: { max: 1 } } })
    const headers = [await browser().logout(), await browser().logout()].map(({ headers }) => headers['x-ratelimit-limit'])
    t.strictSame(headers, when === 'before' ? ['50', undefined] : [undefined, undefined], 'the limit of the plugin refuses first and sets no such header')
  })

  t.test(`an error handler set ${when} the plugin gets a refusal as an ordinary error, and Retry-After is kept`, async (t) => {
    const setHandler = (app: FastifyInstance) => {
      app.setErrorHandler((error: Error & { code: string, statusCode: number, retryAfter: number }, _request, reply) => {
        const { code, statusCode, retryAfter } = error
        return reply.code(statusCode).send({ problem: code, isError: error instanceof Error, retryAfter })
      })
    }
    const { browser } = await buildApp(t, { [when]: setHandler, rateLimit: { logout: { max: 1 } } })
    await browser().logout()
    t.match(await browser().logout(), {
      status: 429,
      setCookies: { length: 0 },
      headers: { 'retry-after': '600', 'cache-control': 'no-store' },
      body: { problem: 'OTP_AUTH_TOO_MANY_REQUESTS', isError: true, retryAfter: 600 }
    })
  })
}

t.test('a global limiter of the application counts the plugin\'s routes, too, and sends its own response', async (t) => {
  t.strictSame(await logouts(t, 4, { before: limiter({ max: 2 }) }), ['admitted', 'admitted', 'application', 'plugin'])
})

t.test('config.rateLimit on a route of the plugin applies only to the limiter of the application', async (t) => {
  const withConfig = (rateLimit: object | false, more: object = {}) =>
    logouts(t, 5, { routes: { logout: { config: { rateLimit } } }, ...more })
  t.strictSame(await withConfig({ max: 2 }, { before: limiter({ global: false }) }), ['admitted', 'admitted', 'application', 'plugin', 'plugin'])
  t.strictSame(await withConfig({ max: 99 }, { before: limiter({ max: 2 }) }), BY_PLUGIN, 'raised for the route')
  t.strictSame(await withConfig(false, { before: limiter({ max: 2 }) }), BY_PLUGIN, 'the limit of the application is off, the limit of the plugin is on')
  t.strictSame(await withConfig(false), BY_PLUGIN, 'without a limiter of the application')
  t.strictSame(await withConfig({ max: 1, timeWindow: 1 }), BY_PLUGIN, 'without a limiter of the application it has no effect')
})

t.test('config and hooks of the application are kept on the route', async (t) => {
  const seen: unknown[] = []
  const onRequest = async (request: FastifyRequest) => { seen.push((request.routeOptions.config as { tag?: string }).tag) }
  const onRequestOfAll = async (_request: FastifyRequest, reply: FastifyReply) => { reply.header('x-app', 'seen') }
  const { browser } = await buildApp(t, {
    before: (app) => { app.addHook('onRoute', (route) => { route.onRequest = [route.onRequest ?? [], onRequestOfAll].flat() }) },
    routes: { logout: { onRequest, config: { tag: 'plugin' } as object } },
    rateLimit: { logout: { max: 1 } }
  } satisfies Partial<OtpAuthOptions> & Parameters<typeof buildApp>[1])
  t.match(await browser().logout(), { status: 200, headers: { 'x-app': 'seen' } })
  t.strictSame(seen, ['plugin'])
})
