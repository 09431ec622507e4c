import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyServerOptions } from 'fastify'
import otpAuth, { type OtpAuthOptions } from 'fastify-otp-auth'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createInbox } from './inbox.ts'

export interface ExampleOptions {
  storage: OtpAuthOptions['storage']
  /** Closes the database. It is called last, when nothing uses the database any more. */
  closeDatabase: () => unknown
  /** @default true */
  logger?: FastifyServerOptions['logger']
  /** More options of the plugin. */
  otpAuth?: Partial<OtpAuthOptions>
}

/** The content security policy of the sign-in page. The page has an access token, so it runs only its own script. */
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The policy of Swagger UI at /docs. It has to allow inline styles, because Swagger UI sets style attributes. */
const documentationPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; " +
  "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Builds the application that all examples serve: a sign-in page, a development inbox, API documentation and two guarded routes. */
export async function buildExample ({ storage, closeDatabase, logger = true, otpAuth: options }: ExampleOptions) {
  const app = Fastify({ logger })
  const inbox = createInbox()

  // Fastify runs onClose hooks in reverse order. This one is added before the plugin, so the plugin finishes its writes first.
  app.addHook('onClose', async () => { await closeDatabase() })

  // Register Swagger before the plugin, so that the plugin can document its routes and mark the guarded ones.
  // Pages have no tag, so `hideUntagged` leaves them out.
  await app.register(swagger, { openapi: { info: { title: 'fastify-otp-auth example', version: '1' } }, hideUntagged: true })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: documentationPolicy })

  await app.register(otpAuth, {
    secretKey: process.env['OTP_AUTH_SECRET'] ?? randomSecret(app.log),
    storage,
    sendOtp: inbox.deliver,
    // The example uses plain HTTP. There, Safari and older versions of curl refuse `Secure` cookies even from localhost.
    // Leave this option out in production: by default cookies are `Secure` and have the `__Host-` prefix.
    cookie: { secure: false },
    ...options
  })

  const schemaOf = (properties: object) => ({ tags: ['example'], response: { 200: { type: 'object', properties } } })
  const profile = schemaOf({ id: { type: 'string' }, email: { type: 'string' }, isVerified: { type: 'boolean' } })
  const bill = schemaOf({ billedTo: { type: 'string' }, due: { type: 'integer' } })
  app.get('/me', { schema: profile, onRequest: [app.authenticate] }, async ({ user: { id, email, isVerified } }) => ({ id, email, isVerified }))
  app.get('/billing', { schema: bill, preHandler: [app.requireVerified] }, async ({ user }) => ({ billedTo: user.email, due: 0 }))

  await app.register(inbox.routes)

  const read = (name: string) => readFile(new URL(name, import.meta.url), 'utf8')
  const clientFile = import.meta.resolve('fastify-otp-auth/client')
  const [html, css, js, client] = await Promise.all([read('page.html'), read('page.css'), read('page.js'), read(clientFile)])
  app.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', pagePolicy).send(html))
  app.get('/page.css', async (_request, reply) => reply.type('text/css; charset=utf-8').send(css))
  app.get('/page.js', async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(js))
  app.get('/client.js', async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(client))

  return app
}

type Example = Awaited<ReturnType<typeof buildExample>>

/** Serves the example on this machine only, until Ctrl-C or SIGTERM. */
export async function serve (app: Example) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => app.close())
  const address = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
  console.log(`Open http://localhost:${new URL(address).port}`)
}

function randomSecret (log: Example['log']) {
  log.warn('OTP_AUTH_SECRET is not set, so the example uses a random secret. All users are signed out when it stops. ' +
    'To keep them signed in, set OTP_AUTH_SECRET to a secret of at least 32 bytes.')
  return randomBytes(32)
}
