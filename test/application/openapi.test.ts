import { Validator } from '@seriousme/openapi-schema-validator'
import swagger, { type SwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import otpAuth, { type OtpAuthOptions } from '../../src/index.ts'
import { buildApp, wrongCode } from '../helpers/app.ts'
import { required } from '../helpers/options.ts'

const OPENAPI: SwaggerOptions = { openapi: { info: { title: 'App', version: '1' } } }
const ROUTES = ['/auth/request-otp', '/auth/verify-otp', '/auth/refresh', '/auth/logout']
const BEARER = [{ 'otp_auth.bearer': [] }]

interface Setup extends Partial<OtpAuthOptions> {
  swagger?: SwaggerOptions
  before?: (app: FastifyInstance) => unknown
  after?: (app: FastifyInstance) => unknown
}

/** An application with @fastify/swagger registered before the plugin, and its document. */
async function document (t: Test, { swagger: given = OPENAPI, before, ...setup }: Setup = {}) {
  const built = await buildApp(t, {
    ...setup,
    before: async (app) => {
      await app.register(swagger, given)
      await before?.(app)
    }
  })
  return { ...built, doc: built.app.swagger() as any }
}

async function isValid (t: Test, doc: object): Promise<void> {
  const { valid, errors } = await new Validator().validate(structuredClone(doc) as Record<string, unknown>)
  t.ok(valid, JSON.stringify(errors))
}

for (const refreshTokenDelivery of ['cookie', 'both', 'body'] as const) {
  t.test(`the document describes the four routes with refreshTokenDelivery "${refreshTokenDelivery}"`, async (t) => {
    const { doc, app } = await document(t, { refreshTokenDelivery })
    await isValid(t, doc)
    t.match(app.swagger({ yaml: true }), 'otp_auth_verifyOtp')
    const [request, verify, refresh, logout] = ROUTES.map((route) => doc.paths[route].post)
    for (const operation of [request, verify, refresh, logout]) {
      t.same(operation.tags, ['otp_auth'])
      t.match(operation.operationId, /^otp_auth_(requestOtp|verifyOtp|refresh|logout)$/)
      for (const [status, { description, content }] of Object.entries<any>(operation.responses)) {
        t.not(description, 'Default Response', status)
        const { examples, schema } = content['application/json']
        t.ok(Object.keys(examples).length > 0, status)
        for (const { value } of Object.values<any>(examples)) t.notOk(Object.values(value).includes(undefined), status)
        // An error handler of the application may add fields.
        if (status !== '200') t.equal(schema.additionalProperties, true, status)
      }
    }
    t.same([request.security, verify.security], [[], []])
    const cookie = { 'otp_auth.refresh_cookie': [] }
    t.same(refresh.security, { cookie: [cookie], both: [{}, cookie], body: [] }[refreshTokenDelivery])
    t.same(logout.security, [{}, ...(refreshTokenDelivery === 'body' ? [] : [cookie]), ...BEARER])
    t.equal(refresh.requestBody === undefined, refreshTokenDelivery === 'cookie')
    t.match(doc.components.securitySchemes['otp_auth.bearer'], {
      type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The access token of /verify-otp or /refresh.'
    })
    if (refreshTokenDelivery !== 'body') t.match(doc.components.securitySchemes['otp_auth.refresh_cookie'], { description: /^The refresh token\. / })
    t.equal(doc.components.securitySchemes['otp_auth.refresh_cookie']?.name, refreshTokenDelivery === 'body' ? undefined : '__Host-refresh_token')
  })
}

t.test('the examples equal the responses of the routes', async (t) => {
  const { doc, browser, codeFor } = await document(t)
  const anna = browser()
  const example = (path: string, status: number, code: string) =>
    doc.paths[path].post.responses[status].content['application/json'].examples[code].value
  t.same((await anna.requestOtp('anna')).body, example('/auth/request-otp', 400, 'FST_ERR_VALIDATION'))
  await anna.requestOtp('anna@example.com')
  t.same((await anna.requestOtp('anna@example.com')).body, example('/auth/request-otp', 429, 'OTP_AUTH_TOO_MANY_REQUESTS'))
  t.same((await anna.verifyOtp('anna@example.com', wrongCode(codeFor('anna@example.com')))).body, example('/auth/verify-otp', 401, 'OTP_AUTH_INVALID_CODE'))
  t.same((await anna.refresh()).body, example('/auth/refresh', 401, 'OTP_AUTH_INVALID_REFRESH_TOKEN'))
  const headers = { 'sec-fetch-site': 'cross-site' }
  t.same((await anna.post('/auth/logout', {}, headers)).body, example('/auth/logout', 403, 'OTP_AUTH_CROSS_SITE'))
  t.same(Object.keys(doc.paths['/auth/verify-otp'].post.responses[500].content['application/json'].examples),
    ['OTP_AUTH_USER_CREATION_FAILED', 'OTP_AUTH_RESERVED_CLAIM'])
})

t.test('guards in any position add security to their routes, and to no others', async (t) => {
  const shared = { tags: ['shared'] }
  const { doc } = await document(t, {
    before: (app) => {
      // A hook of the application that adds guards to routes after the hook of the plugin.
      app.addHook('onRoute', (route) => { if (route.url === '/by-hook') route.preHandler = [app.authenticate] })
    },
    after: (app) => {
      const { authenticate, authenticateOptional, requireVerified, customClaims } = app
      const handler = async () => ({})
      app.get('/public', { schema: shared }, handler)
      app.get('/alone', { schema: shared, onRequest: authenticate }, handler)
      app.get('/pre-validation', { preValidation: [customClaims, authenticate] }, handler)
      app.get('/optional', { preHandler: [authenticateOptional] }, handler)
      app.get('/both', { onRequest: [authenticateOptional], preHandler: [requireVerified] }, handler)
      app.get('/claims', { onRequest: [customClaims] }, handler)
      app.get('/by-hook', handler)
      app.register(async (child) => { child.get('/child', { onRequest: [authenticate] }, handler) })
      app.get('/own', {
        schema: { security: [], response: { 401: { type: 'null', description: 'Mine' }, '4XX': { type: 'null', description: 'All' } } } as object,
        preHandler: [requireVerified]
      }, handler)
    }
  })
  await isValid(t, doc)
  const marks = (path: string) => {
    const { security, responses } = doc.paths[path].get
    return { security, statuses: Object.keys(responses) }
  }
  const guarded = { security: BEARER, statuses: ['200', '401'] }
  const open = { security: undefined, statuses: ['200'] }
  t.same(marks('/public'), open)
  t.same(marks('/claims'), open)
  for (const path of ['/me', '/alone', '/pre-validation', '/by-hook', '/child']) t.same(marks(path), guarded, path)
  for (const path of ['/verified', '/both']) t.same(marks(path), { security: BEARER, statuses: ['200', '401', '403'] }, path)
  t.same(marks('/optional'), { security: [{}, ...BEARER], statuses: ['200', '401'] })
  t.same(marks('/own'), { security: [], statuses: ['401', '4XX'] })
  t.equal(doc.paths['/own'].get.responses['401'].description, 'Mine')
  t.same(doc.paths['/alone'].get.tags, ['shared'], 'the schema of the application is kept')
  t.same(Object.keys(shared), ['tags'], 'the schema object is not changed')
  t.ok(doc.paths['/me'].get.responses[401].headers['WWW-Authenticate'])
})

t.test('two instances have two tags and two security schemes, and a scheme of the application is kept', async (t) => {
  const mine = { type: 'http', scheme: 'basic' } as const
  const components = { securitySchemes: { 'otp_auth.bearer': mine } }
  const { doc } = await document(t, {
    swagger: { openapi: { ...OPENAPI.openapi, components } },
    after: (app) => {
      app.register(async (child) => {
        await child.register(otpAuth, { ...required(), name: 'admin', prefix: '/admin' })
        child.get('/backstage', { onRequest: [child.authenticate] }, async () => ({}))
      })
    }
  })
  await isValid(t, doc)
  t.same(doc.paths['/backstage'].get.security, [{ 'admin.bearer': [] }])
  t.same(doc.paths['/me'].get.security, BEARER)
  t.match(doc.paths['/admin/refresh'].post, { tags: ['admin'], operationId: 'admin_refresh', security: [{ 'admin.refresh_cookie': [] }] })
  t.same(doc.components.securitySchemes['otp_auth.bearer'], mine)
  t.equal(doc.components.securitySchemes['admin.refresh_cookie'].name, '__Host-refresh_token_admin')
  t.same(Object.keys(components.securitySchemes), ['otp_auth.bearer'], 'the object of the application is not changed')
})

t.test('a Swagger 2 document describes the token as a header and has no cookies', async (t) => {
  const { doc } = await document(t, { swagger: { swagger: { info: { title: 'App', version: '1' } } } })
  await isValid(t, doc)
  t.match(doc.securityDefinitions, {
    'otp_auth.bearer': { type: 'apiKey', in: 'header', name: 'authorization', description: /^The access token .* after "Bearer "\.$/ }
  })
  t.same(doc.paths['/auth/refresh'].post.security, [])
  t.same(doc.paths['/auth/logout'].post.security, [{}, ...BEARER])
  t.same(doc.paths['/verified'].get.security, BEARER)
  t.same(Object.keys(doc.paths['/verified'].get.responses), ['200', '401', '403'])
})

t.test('a transform of the application on a route of the plugin gets the schema that the plugin has transformed', async (t) => {
  const swaggerTransform = ({ schema }: any) => ({ schema: { ...schema, summary: `${schema.security.length}` }, url: '/moved' })
  const { doc } = await document(t, { routes: { logout: { config: { swaggerTransform } } } })
  t.equal(doc.paths['/moved'].post.summary, '3')
})

t.test('with openapi: false, the document has none of the plugin\'s routes and no security', async (t) => {
  const { doc } = await document(t, { openapi: false })
  t.same(Object.keys(doc.paths), ['/me', '/verified'])
  t.equal(doc.paths['/me'].get.security, undefined)
  t.equal(doc.components.securitySchemes, undefined)
})

t.test('if @fastify/swagger is registered after the plugin, nothing breaks and the log says why the document lacks the plugin', async (t) => {
  const lines: string[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } }
  const { app } = await buildApp(t, {
    fastify: { logger },
    after: async (app) => {
      await app.register(swagger, OPENAPI)
      app.get('/late', { onRequest: [app.authenticate] }, async () => ({}))
    }
  })
  t.same(Object.keys((app.swagger() as any).paths), ['/late'])
  t.match(lines.join(''), 'Register @fastify/swagger before this plugin')
})

t.test('without @fastify/swagger, no route of the application is changed', async (t) => {
  const routes: object[] = []
  const { app } = await buildApp(t, {
    after: (app) => {
      app.addHook('onRoute', (route) => { routes.push(route) })
      app.get('/late', { onRequest: [app.authenticate] }, async () => ({}))
    }
  })
  t.notOk(app.hasDecorator('swagger'))
  t.ok(routes.every((route) => (route as { schema?: object }).schema === undefined))
})
