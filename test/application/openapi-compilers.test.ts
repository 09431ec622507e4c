import swagger from '@fastify/swagger'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import t from 'tap'
import { z } from 'zod'
import { buildApp } from '../helpers/app.ts'

const openapi = { info: { title: 'App', version: '1' } }
const BEARER = [{ 'otp_auth.bearer': [] }]

t.test('the plugin\'s response schemas never reach a serializer, so the response of the application on a guarded route is sent unchanged', async (t) => {
  const { app } = await buildApp(t, {
    before: (app) => app.register(swagger, { openapi }),
    after: (app) => {
      app.setErrorHandler((error, _request, reply) => {
        // Shapes that a JSON schema of the plugin would cut or refuse.
        reply.status((error as { statusCode: number }).statusCode).send({ problem: { title: 'no' }, message: ['a', 'list'], statusCode: 'text' })
      })
      app.get('/guarded', { onRequest: [app.requireVerified] }, async () => ({}))
    }
  })
  t.ok((app.swagger() as any).paths['/guarded'].get.responses[401])
  const result = await app.inject('/guarded')
  t.equal(result.statusCode, 401)
  t.same(result.json(), { problem: { title: 'no' }, message: ['a', 'list'], statusCode: 'text' })
})

const useZod = (app: FastifyInstance) => {
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
}
const onlyTransform = (app: FastifyInstance) => { app.setValidatorCompiler(validatorCompiler) }

for (const [kind, setup] of Object.entries({ 'zod for everything': useZod, 'zod only for bodies': onlyTransform })) {
  t.test(`with ${kind}, the document has the plugin's routes and the security of guarded routes, and the routes work`, async (t) => {
    const { app, browser, codeFor } = await buildApp(t, {
      before: async (app) => {
        setup(app)
        await app.register(swagger, { openapi, transform: jsonSchemaTransform })
      },
      after: (app) => {
        const response = kind === 'zod for everything' ? { 200: z.object({ total: z.number() }) } : undefined
        const schema = { body: z.object({ amount: z.number() }), ...(response && { response }) }
        app.post('/pay', { schema, preHandler: [app.requireVerified] }, async (request) => ({ total: (request.body as { amount: number }).amount }))
      }
    })
    const doc = app.swagger() as any
    t.same(doc.paths['/pay'].post.security, BEARER)
    t.same(doc.paths['/me'].get.security, BEARER)
    t.ok(doc.paths['/pay'].post.requestBody.content['application/json'].schema.properties.amount)
    t.ok(doc.paths['/auth/verify-otp'].post.requestBody.content['application/json'].schema.properties.code)

    const token = await browser().login('anna@example.com', codeFor)
    const headers = { authorization: `Bearer ${token}` }
    const pay = await app.inject({ method: 'POST', url: '/pay', payload: { amount: 3 }, headers })
    t.same([pay.statusCode, pay.json()], [200, { total: 3 }])
    t.equal((await app.inject({ method: 'POST', url: '/pay', payload: { amount: 3 } })).statusCode, 401)
  })
}

t.test('with TypeBox, the document has the security and responses of a guarded route next to its own schemas', async (t) => {
  const { app } = await buildApp(t, {
    before: async (app) => {
      app.setValidatorCompiler(TypeBoxValidatorCompiler)
      await app.register(swagger, { openapi })
    },
    after: (app) => {
      const schema = { body: Type.Object({ amount: Type.Integer() }), response: { 200: Type.Object({ total: Type.Integer() }) } }
      app.withTypeProvider<TypeBoxTypeProvider>().post('/pay', { schema, onRequest: [app.authenticate] }, async ({ body }) => ({ total: body.amount }))
    }
  })
  const { security, responses } = (app.swagger() as any).paths['/pay'].post
  t.same([security, Object.keys(responses)], [BEARER, ['200', '401']])
  t.equal((await app.inject({ method: 'POST', url: '/pay', payload: { amount: 1 } })).statusCode, 401)
})

t.test('a guarded route with its own transform gets its security, and its transform gets none of the plugin\'s responses', async (t) => {
  const { app } = await buildApp(t, {
    before: (app) => app.register(swagger, { openapi }),
    after: (app) => {
      const schema = { response: { 200: { type: 'object', description: 'the total', properties: {} } } }
      const swaggerTransform = ({ schema, url }: { schema: { response: object }, url: string }) => {
        if (Object.keys(schema.response).join() !== '200') throw new Error('unknown responses')
        return { schema, url }
      }
      app.get('/pay', { schema, config: { swaggerTransform } as object, onRequest: [app.authenticate] }, async () => ({ total: 1 }))
    }
  })
  const { security, responses } = (app.swagger() as any).paths['/pay'].get
  t.same([security, Object.keys(responses)], [BEARER, ['200']])
})

t.test('if the response schemas of a route are functions, their transform gets none of the plugin\'s responses', async (t) => {
  const Total = Object.assign(() => {}, { toJsonSchema: () => ({ type: 'object', description: 'the total' }) })
  const transform = ({ schema, url }: any) => {
    const response = schema?.response && Object.entries(schema.response).map(([status, one]: any) => [status, one.toJsonSchema()])
    return { schema: { ...schema, ...(response && { response: Object.fromEntries(response) }) }, url }
  }
  const { app } = await buildApp(t, {
    before: (app) => app.register(swagger, { openapi, transform }),
    after: (app) => {
      const schema = { response: { 200: Total } }
      app.get('/pay', { schema, serializerCompiler: () => JSON.stringify, onRequest: [app.authenticate] }, async () => ({ total: 1 }))
    }
  })
  t.same((app.swagger() as any).paths['/pay'].get.security, BEARER)
})

t.test('a route whose schema is null is treated as a route without a schema', async (t) => {
  const { app } = await buildApp(t, {
    before: (app) => app.register(swagger, { openapi }),
    after: (app) => {
      app.get('/public', { schema: null as never }, async () => ({}))
      app.get('/guarded', { schema: null as never, onRequest: [app.authenticate] }, async () => ({}))
    }
  })
  const { paths } = app.swagger() as any
  t.same([paths['/public'].get.security, paths['/guarded'].get.security], [undefined, BEARER])
  t.equal((await app.inject('/public')).statusCode, 200)
})
