import autoload from '@fastify/autoload'
import fastifyCookie from '@fastify/cookie'
import cors from '@fastify/cors'
import csrf from '@fastify/csrf-protection'
import helmet from '@fastify/helmet'
import fastifyJwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import sensible from '@fastify/sensible'
import session from '@fastify/session'
import swagger from '@fastify/swagger'
import underPressure from '@fastify/under-pressure'
import Fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import t, { type Test } from 'tap'
import { z } from 'zod'
import otpAuth from '../../src/index.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { buildApp, openDatabase } from '../helpers/app.ts'
import { Browser, type Answer } from '../helpers/browser.ts'

const EMAIL = 'anna@example.com'
const PAGE = 'https://app.example'
const SECRET = 'a secret of the application, of 32 bytes or more'

/** Another plugin of an application: how it is registered, and a check that it still works next to this plugin. */
interface Neighbour {
  register: (app: FastifyInstance) => unknown
  works?: (t: Test, app: FastifyInstance, login: Answer) => unknown
}

const neighbours: Record<string, Neighbour> = {
  '@fastify/cors with credentials': {
    register: (app) => app.register(cors, { origin: [PAGE], credentials: true }),
    works (t, _app, { headers }) {
      t.match(headers, { 'access-control-allow-origin': PAGE, 'access-control-allow-credentials': 'true' })
    }
  },
  '@fastify/helmet': {
    register: (app) => app.register(helmet),
    works (t, _app, { headers }) {
      t.match(headers, { 'strict-transport-security': String, 'cache-control': 'no-store' })
    }
  },
  '@fastify/cookie and @fastify/session': {
    async register (app) {
      await app.register(fastifyCookie)
      await app.register(session, { secret: SECRET, saveUninitialized: true })
      app.get('/visits', async (request) => {
        const { session } = request as { session: { visits?: number } }
        session.visits = (session.visits ?? 0) + 1
        return { visits: session.visits }
      })
    },
    async works (t, app) {
      const browser = new Browser(app, '192.0.2.1')
      const visit = () => browser.send({ method: 'GET', url: '/visits', headers: { 'x-forwarded-proto': 'https' } })
      t.match((await visit()).body, { visits: 1 })
      t.match((await visit()).body, { visits: 2 })
    }
  },
  '@fastify/csrf-protection': {
    async register (app) {
      await app.register(fastifyCookie)
      await app.register(csrf)
      // In its own context, so that its hook exists before the route in both orders of registration.
      await app.register(async (forms) => {
        forms.post('/form', { onRequest: [forms.csrfProtection] }, async () => 'sent')
      })
    },
    async works (t, app) {
      t.match(await app.inject({ method: 'POST', url: '/form' }), { statusCode: 403 })
    }
  },
  '@fastify/sensible': {
    register: (app) => app.register(sensible),
    works: (t, app) => t.equal(app.httpErrors.notFound().statusCode, 404)
  },
  '@fastify/under-pressure': { register: (app) => app.register(underPressure, { exposeStatusRoute: true }) },
  '@fastify/swagger': {
    register: (app) => app.register(swagger, { openapi: { info: { title: 'An application', version: '1' } } }),
    works: (t, app) => t.ok(Object.keys(app.swagger().paths ?? {}).length > 0)
  },
  '@fastify/rate-limit for all routes': {
    register: (app) => app.register(rateLimit, { max: 1000 }),
    works: async (t, app) => t.match((await app.inject('/public')).headers, { 'x-ratelimit-limit': '1000' })
  },
  '@fastify/jwt': {
    register: (app) => app.register(fastifyJwt, { secret: SECRET }),
    works: (t, app) => t.match(app.jwt.verify(app.jwt.sign({ mine: true })), { mine: true })
  },
  '@fastify/cookie, signed and read late': {
    register: (app) => app.register(fastifyCookie, { secret: SECRET, hook: 'preHandler', parseOptions: { signed: true, maxAge: 1 } })
  },
  'fastify-type-provider-zod': {
    async register (app) {
      app.setValidatorCompiler(validatorCompiler)
      app.setSerializerCompiler(serializerCompiler)
      app.withTypeProvider<ZodTypeProvider>().post('/count', { schema: { body: z.object({ n: z.number() }) } }, async ({ body }) => ({ n: body.n + 1 }))
    },
    async works (t, app) {
      t.match((await app.inject({ method: 'POST', url: '/count', payload: { n: 1 } })).json(), { n: 2 })
      t.equal((await app.inject({ method: 'POST', url: '/count', payload: { n: '1' } })).statusCode, 400)
    }
  }
}

/** Uses all routes and guards as a browser on a page of the application does. */
async function logIn (t: Test, app: FastifyInstance, codeFor: (email: string) => string): Promise<Answer> {
  const browser = new Browser(app, '192.0.2.1')
  const send = (path: string, payload: object = {}) =>
    browser.send({ method: 'POST', url: `/auth${path}`, payload, headers: { origin: PAGE, 'sec-fetch-site': 'cross-site' } })
  t.match(await send('/request-otp', { email: EMAIL }), { status: 200 })
  const login = await send('/verify-otp', { email: EMAIL, code: codeFor(EMAIL) })
  t.match(login, { status: 200, body: { access_token: String } })
  t.match(await browser.get('/me', login.body.access_token), { status: 200, body: { email: EMAIL } })
  const refreshed = await send('/refresh')
  t.match(refreshed, { status: 200 })
  t.match(await send('/logout'), { status: 200 })
  t.match(await browser.get('/verified', refreshed.body.access_token), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } })
  t.equal(browser.cookies.has('__Host-refresh_token'), false)
  t.match(await browser.requestOtp('no address'), { status: 400, body: { code: 'FST_ERR_VALIDATION', detail: String } })
  return login
}

for (const [name, { register, works }] of Object.entries(neighbours)) {
  for (const order of ['before', 'after'] as const) {
    t.test(`${name}, registered ${order} the plugin, and the plugin both work`, async (t) => {
      const { app, codeFor } = await buildApp(t, {
        trustedOrigins: [PAGE],
        fastify: { trustProxy: true },
        [order]: async (app: FastifyInstance) => {
          await register(app)
          app.get('/public', async () => ({ open: true }))
        }
      })
      const login = await logIn(t, app, codeFor)
      t.match((await app.inject('/public')).json(), { open: true })
      await works?.(t, app, login)
    })
  }
}

t.test('@fastify/autoload registers the plugin from a file, and the routes that it loads can use the guards', async (t) => {
  const folder = t.testdir({
    plugins: {
      'auth.mjs': `
        async function auth (app, { otpAuth, settings }) { await app.register(otpAuth, settings) }
        auth[Symbol.for('skip-override')] = true
        export default auth`
    },
    routes: {
      'me.mjs': `
        export default async (app) => {
          app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)
          app.get('/verified', { preHandler: [app.requireVerified] }, async (request) => request.user)
        }`
    }
  })
  const { db, client } = openDatabase()
  const codes: string[] = []
  const app = Fastify()
  t.teardown(async () => {
    await app.close()
    client.close()
  })
  const settings = {
    secretKey: SECRET,
    storage: drizzleStorage(db),
    trustedOrigins: [PAGE],
    sendOtp: async ({ code }: { code: string }) => { codes.push(code) }
  }
  await app.register(autoload, { dir: `${folder}/plugins`, forceESM: true, encapsulate: false, options: { otpAuth, settings } })
  await app.register(autoload, { dir: `${folder}/routes`, forceESM: true })
  await logIn(t, app, () => codes.at(-1)!)
})
