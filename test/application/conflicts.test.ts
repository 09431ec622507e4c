import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import otpAuth from '../../src/index.ts'
import { required } from '../helpers/options.ts'

function application (t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

async function refuses (t: Test, registering: PromiseLike<unknown>, message: RegExp): Promise<void> {
  await t.rejects(async () => await registering, { code: 'OTP_AUTH_CONFLICT', message })
}

t.test('registering the plugin twice in one context is a conflict', async (t) => {
  const app = application(t)
  await app.register(otpAuth, required())
  await refuses(t, app.register(otpAuth, { ...required(), name: 'admin', prefix: '/admin' }), /registered twice in one context\. Register it once/)
})

t.test('a decorator that another plugin owns is a conflict, and the error names it', async (t) => {
  for (const name of ['authenticate', 'authenticateOptional', 'requireVerified', 'customClaims']) {
    const app = application(t)
    app.decorate(name, () => 'another plugin\'s')
    await refuses(t, app.register(otpAuth, required()), new RegExp(`already added the decorator "${name}"\\. Register one of the two plugins in a context of its own`))
    t.equal((app as unknown as Record<string, () => string>)[name]!(), 'another plugin\'s', 'the decorator of the other plugin is kept')
  }
})

t.test('two instances with one name, or with one storage, are a conflict in one application', async (t) => {
  const first = required()
  const sibling = async (app: FastifyInstance, options: object) => await app.register(async (context) => {
    await context.register(otpAuth, { ...required(), prefix: '/admin', ...options })
  })
  const named = application(t)
  await named.register(async (context) => { await context.register(otpAuth, first) })
  await refuses(t, sibling(named, {}), /already has the name "otp_auth"\. Give this instance another name/)
  const stored = application(t)
  await stored.register(async (context) => { await context.register(otpAuth, first) })
  await refuses(t, sibling(stored, { name: 'admin', storage: first.storage }), /already uses this storage\. Create a storage for each instance/)
})

t.test('sibling contexts, and a parent and its child, can each have an instance under two names', async (t) => {
  const siblings = application(t)
  for (const name of ['otp_auth', 'admin']) {
    await siblings.register(async (context) => { await context.register(otpAuth, { ...required(), name, prefix: `/${name}` }) })
  }
  await siblings.ready()
  t.ok(siblings.hasRoute({ method: 'POST', url: '/otp_auth/logout' }) && siblings.hasRoute({ method: 'POST', url: '/admin/logout' }))

  const family = application(t)
  await family.register(otpAuth, required())
  await family.register(async (context) => {
    await context.register(otpAuth, { ...required(), name: 'admin', prefix: '/admin' })
    t.not(context.authenticate, family.authenticate, 'each context has its own guards')
  })
  await family.ready()
  t.ok(family.hasRoute({ method: 'POST', url: '/auth/logout' }) && family.hasRoute({ method: 'POST', url: '/admin/logout' }))
})

t.test('two applications in one process can share a name and a storage', async (t) => {
  const options = required()
  for (const app of [application(t), application(t)]) {
    await app.register(otpAuth, options)
    await t.resolves(async () => await app.ready())
  }
})
