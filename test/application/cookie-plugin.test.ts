import fastifyCookie, { type FastifyCookieOptions } from '@fastify/cookie'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildApp } from '../helpers/app.ts'

const ANNA = 'anna@example.com'
const secret = 'the host signs its cookies with this'

/** What hosts do to @fastify/cookie; none of it may leak into our cookies. */
const kinds: Record<string, FastifyCookieOptions> = {
  plain: {},
  'with a secret': { secret },
  'with hook: false': { hook: false },
  'with another hook': { hook: 'preHandler' },
  'with defaults for all cookies': {
    secret,
    parseOptions: { path: '/shop', domain: 'shop.example', signed: true, secure: false, httpOnly: false, sameSite: 'strict', maxAge: 5 }
  },
  'with an encoding of its own': {
    parseOptions: {
      encode: (value: string) => Buffer.from(value).toString('hex'),
      decode: (value: string) => Buffer.from(value, 'hex').toString()
    } as FastifyCookieOptions['parseOptions']
  }
}

/** A cookie's attributes without its value, sorted. */
function attributes (line: string): string[] {
  return line.split('; ').slice(1).filter((part) => !part.startsWith('Max-Age')).sort()
}

const OURS = ['HttpOnly', 'Path=/', 'SameSite=Lax', 'Secure']

/** Routes of the host that set a cookie of their own in the answer that carries ours. */
function addHostRoutes (app: FastifyInstance) {
  const user = { id: 'host-user', email: 'host@example.com', isVerified: true }
  app.get('/own-first', async (_request, reply) => {
    reply.setCookie('theme', 'dark')
    await app.otpAuth.issueTokens(user, reply)
    return 'done'
  })
  app.get('/ours-first', async (_request, reply) => {
    await app.otpAuth.issueTokens(user, reply)
    reply.setCookie('theme', 'dark')
    reply.setCookie('size', 'large')
    return 'done'
  })
}

for (const [kind, options] of Object.entries(kinds)) {
  for (const order of ['before', 'after'] as const) {
    t.test(`the host's @fastify/cookie, ${kind}, registered ${order} ours`, async (t) => {
      const { browser, codeFor } = await buildApp(t, {
        [order]: (app: FastifyInstance) => app.register(fastifyCookie, options),
        routes: {
          // The host may set cookies on our own answers, too.
          logout: { preHandler: async (_request, reply) => { reply.setCookie('left', 'yes') } }
        }
      })
      const anna = browser()
      const requested = await anna.requestOtp(ANNA)
      t.same(requested.setCookies.map(attributes), [OURS])
      const verified = await anna.verifyOtp(ANNA, codeFor(ANNA))
      t.same(verified.setCookies.map(attributes), [OURS, OURS, OURS])
      t.same([...anna.cookies.keys()].sort(), ['__Host-otp_device', '__Host-refresh_token'])

      const refreshed = await anna.refresh()
      t.match(refreshed, { status: 200 })
      t.same(refreshed.setCookies.map(attributes), [OURS])
      const logout = await anna.logout()
      t.match(logout.setCookies, [/^__Host-refresh_token=; Max-Age=0;/, /^left=/])
      t.same(attributes(logout.setCookies[0]!), OURS)
      t.match(await anna.get('/me', refreshed.body.access_token), { status: 401 }, 'the logout found its session by the cookie')
    })

    t.test(`with it ${kind}, ${order} ours, a host's own cookie and ours arrive in one answer`, async (t) => {
      const { browser } = await buildApp(t, {
        before: async (app) => { if (order === 'before') await app.register(fastifyCookie, options) },
        after: async (app) => {
          if (order === 'after') await app.register(fastifyCookie, options)
          addHostRoutes(app)
        }
      })
      const anna = browser()
      const names = async (url: string) => (await anna.get(url)).setCookies.map((line) => line.split('=')[0]).sort()
      t.same(await names('/own-first'), ['__Host-refresh_token', 'theme'])
      t.same(await names('/ours-first'), ['__Host-refresh_token', 'size', 'theme'])
      t.match(await anna.refresh(), { status: 401 }, 'a user that the table does not know has no session')
    })
  }
}

t.test('without one, ours works and gives the host no cookie decorators', async (t) => {
  const { app, browser, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.login(ANNA, codeFor)
  t.match(await anna.refresh(), { status: 200 })
  for (const name of ['setCookie', 'clearCookie', 'cookie']) t.notOk(app.hasReplyDecorator(name), name)
  t.notOk(app.hasRequestDecorator('cookies'))
  t.notOk(app.hasDecorator('parseCookie'))
})

t.test('a cookie that the host set by the header itself is kept', async (t) => {
  const { browser } = await buildApp(t, {
    after: (app) => {
      app.get('/header', async (_request, reply) => {
        reply.header('set-cookie', ['a=1', 'b=2'])
        await app.otpAuth.issueTokens({ id: 'x', email: ANNA, isVerified: true }, reply)
        return 'done'
      })
    }
  })
  const answer = await browser().get('/header')
  t.match(answer.setCookies, ['a=1', 'b=2', /^__Host-refresh_token=/])
})
