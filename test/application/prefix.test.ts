import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { buildApp, openStorage } from '../helpers/app.ts'
import { addInstance } from '../helpers/instances.ts'

const ROUTES = ['/request-otp', '/verify-otp', '/refresh', '/logout']

function routesUnder (app: FastifyInstance, prefix: string) {
  return ROUTES.map((url) => app.hasRoute({ method: 'POST', url: `${prefix}${url}` }))
}

t.test('the routes are under /auth, under the given prefix, or under no prefix', async (t) => {
  for (const [prefix, expected] of [[undefined, '/auth'], ['/api/v1/login', '/api/v1/login'], ['', '']] as const) {
    const { app } = await buildApp(t, prefix === undefined ? {} : { prefix })
    t.same(routesUnder(app, expected), [true, true, true, true])
    t.match(await app.inject({ method: 'POST', url: `${expected}/logout` }), { statusCode: 200 })
    if (expected !== '/auth') t.same(routesUnder(app, '/auth'), [false, false, false, false])
  }
})

t.test('in a parent with a prefix, the prefix of the plugin follows it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(async (api) => { await addInstance(t, api, {}) }, { prefix: '/api' })
  await app.ready()
  t.same(routesUnder(app, '/api/auth'), [true, true, true, true])
  t.same(routesUnder(app, '/auth'), [false, false, false, false])
})

t.test('an application plugin that is wrapped in fastify-plugin can register the plugin', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fp(async (context) => { await addInstance(t, context, {}) }))
  t.type(app.authenticate, 'function')
  t.same(routesUnder(app, '/auth'), [true, true, true, true])
})

t.test('a second registration in one context is a conflict', async (t) => {
  const second = (app: FastifyInstance) => addInstance(t, app, { name: 'second', prefix: '/second' })
  await t.rejects(buildApp(t, { after: second }), { code: 'OTP_AUTH_CONFLICT', message: /twice/ })
})

t.test('instances in sibling contexts need two names and two storages', async (t) => {
  const { storage } = openStorage(t)
  const siblings = async (first: object, second: object) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(async (context) => { await addInstance(t, context, { prefix: '/a', ...first }) })
    app.register(async (context) => { await addInstance(t, context, { prefix: '/b', ...second }) })
    await app.ready()
    return [...routesUnder(app, '/a'), ...routesUnder(app, '/b')]
  }
  await t.rejects(siblings({}, {}), { code: 'OTP_AUTH_CONFLICT', message: /the name "otp_auth"/ })
  await t.rejects(siblings({ name: 'one', storage }, { name: 'two', storage }), { code: 'OTP_AUTH_CONFLICT', message: /storage/ })
  t.same(await siblings({ name: 'one' }, { name: 'two' }), Array(8).fill(true))
})

t.test('two applications in one process are not a conflict', async (t) => {
  const { storage } = openStorage(t)
  await buildApp(t, { storage })
  await t.resolves(buildApp(t, { storage }))
})

t.test('another plugin that adds a decorator of the same name is a conflict, registered before or after', async (t) => {
  for (const name of ['authenticate', 'authenticateOptional', 'requireVerified', 'customClaims', 'otpAuth']) {
    const owner = fp(async (app: FastifyInstance) => { app.decorate(name, () => 'another plugin\'s') })
    const before = (app: FastifyInstance) => app.register(owner)
    await t.rejects(buildApp(t, { before }), { code: 'OTP_AUTH_CONFLICT', message: name === 'otpAuth' ? /twice/ : new RegExp(`"${name}"`) })
    await t.rejects(buildApp(t, { after: before }), { code: 'FST_ERR_DEC_ALREADY_PRESENT' })
  }
})

t.test('a decorator that only the parent has is shadowed in the child', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const theirs = async () => {}
  app.decorate('authenticate', theirs as never)
  let ours: unknown
  app.register(async (child) => {
    await addInstance(t, child, {})
    ours = child.authenticate
  })
  await app.ready()
  t.type(ours, 'function')
  t.not(ours, theirs)
  t.equal(app.authenticate, theirs)
})
