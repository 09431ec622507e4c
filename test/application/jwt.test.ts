import fastifyJwt, { type FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildApp } from '../helpers/app.ts'

const ANNA = 'anna@example.com'
const secret = 'the host\'s own secret for its own tokens'

/** As `@fastify/jwt` decorates the host where it is plain, and where it has a namespace. */
interface HostJwt {
  sign (claims: object): string
}

const kinds: Record<string, { options: FastifyJWTOptions, jwt (app: FastifyInstance): HostJwt, verify: string }> = {
  plain: { options: { secret }, jwt: (app) => app.jwt, verify: 'jwtVerify' },
  namespaced: {
    options: { secret, namespace: 'host' },
    jwt: (app) => (app.jwt as unknown as { host: HostJwt }).host,
    verify: 'hostJwtVerify'
  },
  'with a cookie and a decorator name': {
    options: { secret, cookie: { cookieName: 'host_token', signed: false }, decoratorName: 'hostUser' },
    jwt: (app) => app.jwt,
    verify: 'jwtVerify'
  }
}

function addHostRoute (app: FastifyInstance, verify: string) {
  app.get('/host', async (request) => {
    const run = (request as unknown as Record<string, () => Promise<object>>)[verify]!
    return await run.call(request)
  })
}

for (const [kind, { options, jwt, verify }] of Object.entries(kinds)) {
  for (const order of ['before', 'after'] as const) {
    t.test(`the host's @fastify/jwt, ${kind}, registered ${order} ours: both work`, async (t) => {
      const { app, browser, codeFor } = await buildApp(t, {
        [order]: async (app: FastifyInstance) => {
          await app.register(fastifyJwt, options)
          addHostRoute(app, verify)
        }
      })
      const anna = browser()
      const token = await anna.login(ANNA, codeFor)
      t.match(await anna.get('/me', token), { status: 200, body: { email: ANNA } })
      t.match(await anna.get('/verified', token), { status: 200 })
      t.match(await anna.refresh(), { status: 200 })

      const theirs = jwt(app).sign({ hello: 'host' })
      t.match(await anna.get('/host', theirs), { status: 200, body: { hello: 'host' } })
      t.match(await anna.get('/host', token), { status: 401 }, 'the host does not take our token')
      t.match(await anna.get('/me', theirs), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }, 'nor we the host\'s')
    })
  }
}

t.test('the host\'s @fastify/jwt, registered without await before ours', async (t) => {
  const { app, browser, codeFor } = await buildApp(t, { before: (app) => { app.register(fastifyJwt, { secret }) } })
  const anna = browser()
  t.match(await anna.get('/me', await anna.login(ANNA, codeFor)), { status: 200 })
  t.match(app.jwt.verify(app.jwt.sign({ hello: 'host' })), { hello: 'host' })
})

t.test('without one, ours decorates neither the host nor its requests with @fastify/jwt\'s names', async (t) => {
  const { app, browser, codeFor } = await buildApp(t)
  const anna = browser()
  t.match(await anna.get('/me', await anna.login(ANNA, codeFor)), { status: 200 })
  t.notOk(app.hasDecorator('jwt'))
  for (const name of ['jwtVerify', 'jwtDecode', 'user', 'otpAuthToken']) t.notOk(app.hasRequestDecorator(name), name)
  t.notOk(app.hasReplyDecorator('jwtSign'))
})

t.test('where the host\'s own guard ran first, ours still asks for our token', async (t) => {
  const { app, browser, codeFor } = await buildApp(t, {
    before: (app) => app.register(fastifyJwt, { secret, cookie: { cookieName: 'host_token', signed: false } })
      .after(() => { app.addHook('onRequest', async (request) => { request.user = { id: 1, email: 'host@example.com', isVerified: true } }) })
  })
  const anna = browser()
  t.match(await anna.get('/verified'), { status: 401 })
  t.match(await anna.get('/me', await anna.login(ANNA, codeFor)), { status: 200, body: { email: ANNA } })
  t.ok(app.hasDecorator('jwt'))
})
