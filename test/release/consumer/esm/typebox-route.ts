/** Guards on a route whose types are inferred from its schema. It is compiled and never run. */
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import otpAuth, { type OtpAuthOptions } from 'fastify-otp-auth'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_same: Same<A, B>): void => {}

declare const options: OtpAuthOptions

const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(otpAuth, options)

const schema = {
  body: Type.Object({ amount: Type.Integer(), note: Type.Optional(Type.String()) }),
  querystring: Type.Object({ page: Type.Integer() }),
  response: { 200: Type.Object({ total: Type.Integer() }) }
}
interface Body { amount: number, note?: string }

app.post('/in-arrays', { schema, onRequest: [app.authenticate, app.requireVerified], preHandler: [app.customClaims] }, async (request) => {
  same<typeof request.body, { note?: string, amount: number }>(true)
  const body: Body = request.body
  same<typeof request.query.page, number>(true)
  same<typeof request.user.email, string>(true)
  // @ts-expect-error a field that the schema does not have
  String(request.body.other)
  return { total: body.amount + request.query.page }
})

app.post('/alone', { schema, onRequest: app.authenticate, preHandler: app.requireVerified }, async (request) => {
  same<typeof request.body, { note?: string, amount: number }>(true)
  return { total: request.body.amount }
})

// @ts-expect-error the response is checked too
app.post('/wrong-response', { schema, onRequest: [app.authenticate] }, async () => ({ total: 'many' }))

app.route({
  method: 'POST',
  url: '/route',
  schema,
  preHandler: [app.authenticateOptional],
  handler: async (request) => ({ total: request.body.amount })
})
