/** Guards on a route whose types are inferred from zod schemas. It is compiled and never run. */
import Fastify, { type FastifyPluginAsync } from 'fastify'
import otpAuth, { type OtpAuthOptions } from 'fastify-otp-auth'
import { serializerCompiler, validatorCompiler, type FastifyPluginAsyncZod, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_same: Same<A, B>): void => {}

declare const options: OtpAuthOptions

const app = Fastify().withTypeProvider<ZodTypeProvider>()
app.setValidatorCompiler(validatorCompiler)
app.setSerializerCompiler(serializerCompiler)
await app.register(otpAuth, options)

const schema = {
  body: z.object({ amount: z.number(), note: z.string().optional(), at: z.string().transform((text) => new Date(text)) }),
  querystring: z.object({ page: z.coerce.number() }),
  response: { 200: z.object({ total: z.number() }) }
}
interface Body { amount: number, note?: string | undefined, at: Date }

app.post('/in-arrays', { schema, onRequest: [app.authenticate, app.requireVerified], preHandler: [app.customClaims] }, async (request) => {
  same<typeof request.body.at, Date>(true)
  same<typeof request.query.page, number>(true)
  same<typeof request.user.company, string | null>(true)
  const body: Body = request.body
  // @ts-expect-error a field that the schema does not have
  String(request.body.other)
  return { total: body.amount + request.query.page }
})

app.post('/alone', { schema, onRequest: app.authenticate, preHandler: app.requireVerified }, async (request) => {
  same<typeof request.body.at, Date>(true)
  same<typeof request.body.amount, number>(true)
  same<typeof request.user.email, string>(true)
  return { total: request.body.amount }
})

// @ts-expect-error the response is checked too
app.post('/wrong-response', { schema, onRequest: [app.authenticate] }, async () => ({ total: 'many' }))

app.route({
  method: 'POST',
  url: '/route',
  schema,
  preHandler: [app.authenticateOptional],
  handler: async (request) => {
    same<typeof request.body.note, string | undefined>(true)
    return { total: request.body.amount }
  }
})

// Inside a plugin of the application, which has its own type provider.
export const inferred: FastifyPluginAsyncZod = async (scope) => {
  scope.addHook('preHandler', scope.requireVerified)
  scope.post('/', { schema, onRequest: [scope.authenticate] }, async (request) => ({ total: request.body.amount }))
}
export const plain: FastifyPluginAsync = async (scope) => {
  scope.post<{ Body: Body }>('/', { preHandler: [scope.authenticate] }, async (request) => {
    same<typeof request.body, Body>(true)
    return request.body.amount
  })
}
