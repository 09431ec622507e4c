import fastifyCookie, { type FastifyCookieOptions } from '@fastify/cookie'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildApp } from '../helpers/app.ts'

const ANNA = 'anna@example.com'
const secret = 'the application signs its cookies with this'

/** Options that applications give to @fastify/cookie. None of them may change the cookies of the plugin. */
const kinds: Record<string, FastifyCookieOptions> = {
  plain: {},
  'with a secret': { secret },
  'with hook: false': { hook: false },
  'with another hook': { hook: 'preHandler' },
  'with defaults for all cookies': {
    secret,
    parseOptions: { path: '/shop', domain: 'shop.example', signed: true, secure: false, httpOnly: false, sameSite: 'strict', maxAge: 5 }
  },
  'with its own encoding': {
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

const ATTRIBUTES = ['HttpOnly', 'Path=/', 'SameSite=Lax', 'Secure']

/** Routes of the application that set their own cookie in the response that sets the cookie of the plugin. */
function addRoutes (app: FastifyInstance) {
  const user = { id: 'app-user', email: 'app@example.com', isVerified: true }
  app.get('/own-first', async (_request, reply) => {
    reply.setCookie('theme', 'dark')
    await app.otpAuth.issueTokens(user, reply)
    return 'done'
  })
  app.get('/plugin-first', async (_request, reply) => {
    await app.otpAuth.issueTokens(user, reply)
    reply.setCookie('theme', 'dark')
    reply.setCookie('size', 'large')
    return 'done'
  })
}

for (const [kind, options] of Object.entries(kinds)) {
  for (const order of ['before', 'after'] as const) {
    t.test(`@fastify/cookie, ${kind}, registered ${order} the plugin, does not change the cookies of the plugin`, async (t) => {
      const { browser, codeFor } = await buildApp(t, {
        [order]: (app: FastifyInstance) => app.register(fastifyCookie, options),
        routes: {
          // The application can set cookies on the plugin's responses, too.
          logout: { preHandler: async (_request, reply) => { reply.setCookie('left', 'yes') } }
        }
      })
      const anna = browser()
      const requested = await anna.requestOtp(ANNA)
      t.same(requested.setCookies.map(attributes), [ATTRIBUTES])
      const verified = await anna.verifyOtp(ANNA, codeFor(ANNA))
      t.same(verified.setCookies.map(attributes), [ATTRIBUTES, ATTRIBUTES, ATTRIBUTES])
      t.same([...anna.cookies.keys()].sort(), ['__Host-otp_device', '__Host-refresh_token'])

      const refreshed = await anna.refresh()
      t.match(refreshed, { status: 200 })
      t.same(refreshed.setCookies.map(attributes), [ATTRIBUTES])
      const logout = await anna.logout()
      t.match(logout.setCookies, [/^__Host-refresh_token=; Max-Age=0;/, /^left=/])
      t.same(attributes(logout.setCookies[0]!), ATTRIBUTES)
      t.match(await anna.get('/me', refreshed.body.access_token), { status: 401 }, 'the logout found its session by the cookie')
    })

    t.test(`with @fastify/cookie, ${kind}, registered ${order} the plugin, one response can set cookies of the application and of the plugin`, async (t) => {
      const { browser } = await buildApp(t, {
        before: async (app) => { if (order === 'before') await app.register(fastifyCookie, options) },
        after: async (app) => {
          if (order === 'after') await app.register(fastifyCookie, options)
          addRoutes(app)
        }
      })
      const anna = browser()
      const names = async (url: string) => (await anna.get(url)).setCookies.map((line) => line.split('=')[0]).sort()
      t.same(await names('/own-first'), ['__Host-refresh_token', 'theme'])
      t.same(await names('/plugin-first'), ['__Host-refresh_token', 'size', 'theme'])
      t.match(await anna.refresh(), { status: 401 }, 'a user who is not in the table has no session')
    })
  }
}

t.test('without @fastify/cookie, the plugin works and adds no cookie decorators to the application', async (t) => {
  const { app, browser, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.login(ANNA, codeFor)
  t.match(await anna.refresh(), { status: 200 })
  for (const name of ['setCookie', 'clearCookie', 'cookie']) t.notOk(app.hasReplyDecorator(name), name)
  t.notOk(app.hasRequestDecorator('cookies'))
  t.notOk(app.hasDecorator('parseCookie'))
})

t.test('a cookie that the application sets with the header itself is kept', async (t) => {
  const { browser } = await buildApp(t, {
    after: (app) => {
      app.get('/header', async (_request, reply) => {
        reply.header('set-cookie', ['a=1', 'b=2'])
        await app.otpAuth.issueTokens({ id: 'x', email: ANNA, isVerified: true }, reply)
        return 'done'
      })
    }
  })
  const response = await browser().get('/header')
  t.match(response.setCookies, ['a=1', 'b=2', /^__Host-refresh_token=/])
})
