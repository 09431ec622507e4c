import fastifyRateLimit, { type RateLimitPluginOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp } from '../helpers/app.ts'

/** Tells how many logouts of one address get which answer, ours or the host's, among `times`. */
async function logouts (t: Test, times: number, options: Parameters<typeof buildApp>[1]) {
  const { browser } = await buildApp(t, { rateLimit: { logout: { max: 3 } }, ...options })
  const answers: string[] = []
  for (let time = 0; time < times; time++) {
    const { status, body } = await browser().logout()
    answers.push(status === 200 ? 'admitted' : body.code === 'OTP_AUTH_TOO_MANY_REQUESTS' ? 'ours' : 'the host\'s')
  }
  return answers
}

const limiter = (options: RateLimitPluginOptions) => (app: FastifyInstance) => app.register(fastifyRateLimit, options)
const OURS = ['admitted', 'admitted', 'admitted', 'ours', 'ours']

for (const when of ['before', 'after'] as const) {
  for (const global of [true, false]) {
    t.test(`our limit holds beside a limiter of the host's, global: ${global}, registered ${when} us`, async (t) => {
      t.strictSame(await logouts(t, 5, { [when]: limiter({ global }) }), OURS)
    })
  }

  t.test(`headers of a limiter of the host's, registered ${when} us, are its own`, async (t) => {
    const { browser } = await buildApp(t, { [when]: limiter({ max: 50 }), rateLimit: { logout: { max: 1 } } })
    const headers = [await browser().logout(), await browser().logout()].map(({ headers }) => headers['x-ratelimit-limit'])
    t.strictSame(headers, when === 'before' ? ['50', undefined] : [undefined, undefined], 'ours comes first, and says nothing there')
  })

  t.test(`an error handler set ${when} us sees a refusal as an ordinary error, and Retry-After stays`, async (t) => {
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

t.test('a global limiter of the host\'s counts our routes, too, with its own answer', async (t) => {
  t.strictSame(await logouts(t, 4, { before: limiter({ max: 2 }) }), ['admitted', 'admitted', 'the host\'s', 'ours'])
})

t.test('config.rateLimit on a route of ours is for the host\'s limiter alone', async (t) => {
  const withConfig = (rateLimit: object | false, more: object = {}) =>
    logouts(t, 5, { routes: { logout: { config: { rateLimit } } }, ...more })
  t.strictSame(await withConfig({ max: 2 }, { before: limiter({ global: false }) }), ['admitted', 'admitted', 'the host\'s', 'ours', 'ours'])
  t.strictSame(await withConfig({ max: 99 }, { before: limiter({ max: 2 }) }), OURS, 'raised for the route')
  t.strictSame(await withConfig(false, { before: limiter({ max: 2 }) }), OURS, 'the host\'s is off, ours is not')
  t.strictSame(await withConfig(false), OURS, 'without a limiter of the host\'s')
  t.strictSame(await withConfig({ max: 1, timeWindow: 1 }), OURS, 'without one, and it changes nothing')
})

t.test('the host\'s config and hooks are still on the route', async (t) => {
  const seen: unknown[] = []
  const onRequest = async (request: FastifyRequest) => { seen.push((request.routeOptions.config as { tag?: string }).tag) }
  const onRequestOfAll = async (_request: FastifyRequest, reply: FastifyReply) => { reply.header('x-host', 'seen') }
  const { browser } = await buildApp(t, {
    before: (app) => { app.addHook('onRoute', (route) => { route.onRequest = [route.onRequest ?? [], onRequestOfAll].flat() }) },
    routes: { logout: { onRequest, config: { tag: 'ours' } as object } },
    rateLimit: { logout: { max: 1 } }
  } satisfies Partial<OtpAuthOptions> & Parameters<typeof buildApp>[1])
  t.match(await browser().logout(), { status: 200, headers: { 'x-host': 'seen' } })
  t.strictSame(seen, ['ours'])
})
