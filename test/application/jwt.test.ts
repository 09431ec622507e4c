import fastifyJwt, { type FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildApp } from '../helpers/app.ts'

const ANNA = 'anna@example.com'
const secret = 'the secret of the application for its own tokens'

/** The decorator that `@fastify/jwt` adds to the application, with and without a namespace. */
interface JwtDecorator {
  sign (claims: object): string
}

const kinds: Record<string, { options: FastifyJWTOptions, jwt (app: FastifyInstance): JwtDecorator, verify: string }> = {
  plain: { options: { secret }, jwt: (app) => app.jwt, verify: 'jwtVerify' },
  namespaced: {
    options: { secret, namespace: 'app' },
    jwt: (app) => (app.jwt as unknown as { app: JwtDecorator }).app,
    verify: 'appJwtVerify'
  },
  'with a cookie and a decorator name': {
    options: { secret, cookie: { cookieName: 'app_token', signed: false }, decoratorName: 'appUser' },
    jwt: (app) => app.jwt,
    verify: 'jwtVerify'
  }
}

function addRoute (app: FastifyInstance, verify: string) {
  app.get('/own', async (request) => {
    const run = (request as unknown as Record<string, () => Promise<object>>)[verify]!
    return await run.call(request)
  })
}

for (const [kind, { options, jwt, verify }] of Object.entries(kinds)) {
  for (const order of ['before', 'after'] as const) {
    t.test(`the application's @fastify/jwt, ${kind}, registered ${order} the plugin, and the plugin both work`, async (t) => {
      const { app, browser, codeFor } = await buildApp(t, {
        [order]: async (app: FastifyInstance) => {
          await app.register(fastifyJwt, options)
          addRoute(app, verify)
        }
      })
      const anna = browser()
      const token = await anna.login(ANNA, codeFor)
      t.match(await anna.get('/me', token), { status: 200, body: { email: ANNA } })
      t.match(await anna.get('/verified', token), { status: 200 })
      t.match(await anna.refresh(), { status: 200 })

      const theirs = jwt(app).sign({ hello: 'world' })
      t.match(await anna.get('/own', theirs), { status: 200, body: { hello: 'world' } })
      t.match(await anna.get('/own', token), { status: 401 }, 'the application does not accept the token of the plugin')
      t.match(await anna.get('/me', theirs), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }, 'the plugin does not accept the token of the application')
    })
  }
}

t.test('the application\'s @fastify/jwt, registered before the plugin without await, and the plugin both work', async (t) => {
  const { app, browser, codeFor } = await buildApp(t, { before: (app) => { app.register(fastifyJwt, { secret }) } })
  const anna = browser()
  t.match(await anna.get('/me', await anna.login(ANNA, codeFor)), { status: 200 })
  t.match(app.jwt.verify(app.jwt.sign({ hello: 'world' })), { hello: 'world' })
})

t.test('without @fastify/jwt in the application, the plugin adds none of its decorators to the application and its requests', async (t) => {
  const { app, browser, codeFor } = await buildApp(t)
  const anna = browser()
  t.match(await anna.get('/me', await anna.login(ANNA, codeFor)), { status: 200 })
  t.notOk(app.hasDecorator('jwt'))
  for (const name of ['jwtVerify', 'jwtDecode', 'user', 'otpAuthToken']) t.notOk(app.hasRequestDecorator(name), name)
  t.notOk(app.hasReplyDecorator('jwtSign'))
})

t.test('the plugin\'s guards require the plugin\'s token, even if a guard of the application has set request.user', async (t) => {
  const { app, browser, codeFor } = await buildApp(t, {
    before: (app) => app.register(fastifyJwt, { secret, cookie: { cookieName: 'app_token', signed: false } })
      .after(() => { app.addHook('onRequest', async (request) => { request.user = { id: 1, email: 'app@example.com', isVerified: true } }) })
  })
  const anna = browser()
  t.match(await anna.get('/verified'), { status: 401 })
  t.match(await anna.get('/me', await anna.login(ANNA, codeFor)), { status: 200, body: { email: ANNA } })
  t.ok(app.hasDecorator('jwt'))
})
