import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyServerOptions } from 'fastify'
import otpAuth, { type OtpAuthOptions } from 'fastify-otp-auth'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createInbox } from './inbox.ts'

export interface ExampleOptions {
  storage: OtpAuthOptions['storage']
  /** Closes the database, once nothing needs it any more. */
  closeDatabase: () => unknown
  /** @default true */
  logger?: FastifyServerOptions['logger']
  /** Any other option of the plugin. */
  otpAuth?: Partial<OtpAuthOptions>
}

/** Swagger UI's page at /docs brings its own script and styles it by attributes; the sign-in page has a stricter one. */
const documentationPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; " +
  "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The application that every database's example serves: sign-in page, development inbox, API documentation and two guarded routes. */
export async function buildExample ({ storage, closeDatabase, logger = true, otpAuth: options }: ExampleOptions) {
  const app = Fastify({ logger })
  const inbox = createInbox()

  // Fastify runs these last in, first out: added before the plugin, so the plugin can finish its writes.
  app.addHook('onClose', async () => { await closeDatabase() })

  // Before the plugin, which then describes its routes and marks the guarded ones. Pages have no tag, and are left out.
  await app.register(swagger, { openapi: { info: { title: 'fastify-otp-auth example', version: '1' } }, hideUntagged: true })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: documentationPolicy })

  await app.register(otpAuth, {
    secretKey: process.env['OTP_AUTH_SECRET'] ?? randomSecret(app.log),
    storage,
    sendOtp: inbox.deliver,
    // The example is served over plain http, where Safari and older curls refuse `Secure` cookies even from localhost.
    // In production leave this out: the default is secure, with the `__Host-` prefix.
    cookie: { secure: false },
    ...options
  })

  const answers = (properties: object) => ({ tags: ['example'], response: { 200: { type: 'object', properties } } })
  const me = answers({ id: { type: 'string' }, email: { type: 'string' }, isVerified: { type: 'boolean' } })
  const bill = answers({ billedTo: { type: 'string' }, due: { type: 'integer' } })
  app.get('/me', { schema: me, onRequest: [app.authenticate] }, async ({ user: { id, email, isVerified } }) => ({ id, email, isVerified }))
  app.get('/billing', { schema: bill, preHandler: [app.requireVerified] }, async ({ user }) => ({ billedTo: user.email, due: 0 }))

  await app.register(inbox.routes)

  const file = (name: string) => readFile(new URL(name, import.meta.url), 'utf8')
  const clientFile = import.meta.resolve('fastify-otp-auth/client')
  const [html, css, js, client] = await Promise.all([file('page.html'), file('page.css'), file('page.js'), file(clientFile)])
  // The page holds an access token, so it runs nothing but its own script.
  const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  app.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(html))
  app.get('/page.css', async (_request, reply) => reply.type('text/css; charset=utf-8').send(css))
  app.get('/page.js', async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(js))
  app.get('/client.js', async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(client))

  return app
}

type Example = Awaited<ReturnType<typeof buildExample>>

/** Serves it to this machine alone, until Ctrl-C or a SIGTERM. */
export async function serve (app: Example) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => app.close())
  const address = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
  console.log(`Open http://localhost:${new URL(address).port}`)
}

function randomSecret (log: Example['log']) {
  log.warn('OTP_AUTH_SECRET is not set: a random secret is used, and everybody is signed out when this process ends')
  return randomBytes(32)
}
