import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import type { OtpAuthOptions } from '../../src/index.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { buildApp, openDatabase, openStorage } from '../helpers/app.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { freshDist } from '../helpers/fresh-dist.ts'
import { spyStorage } from '../helpers/spy-storage.ts'
import { withTimers, type Made } from '../helpers/timers.ts'

const ANNA = 'anna@example.com'

/** The application's own log, line by line. */
async function buildLogged (t: Test, { fastify, ...options }: Parameters<typeof buildApp>[1] & object = {}) {
  const logged: Array<{ level: number, msg: string }> = []
  const stream = { write: (line: string) => { logged.push(JSON.parse(line)) } }
  const built = await buildApp(t, { fastify: { logger: { level: 'info', stream }, ...fastify }, ...options })
  return { ...built, count: (pattern: RegExp) => logged.filter(({ level, msg }) => level >= 40 && pattern.test(msg)).length }
}

/** Lets all pending callbacks run. */
async function turns (number = 20) {
  for (let turn = 0; turn < number; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}

t.test('X-Forwarded-For logs one warning if trustProxy is off', async (t) => {
  const { browser, count } = await buildLogged(t)
  const forwarded = { 'x-forwarded-for': '203.0.113.7' }
  await browser().post('/auth/logout')
  t.equal(count(/trustProxy/), 0)
  for (const url of ['/auth/logout', '/auth/refresh', '/auth/logout']) await browser().post(url, {}, forwarded)
  t.equal(count(/trustProxy/), 1)
  t.equal(count(/has the header X-Forwarded-For.*share the limits of one network.*you can ignore this warning/), 1)
})

t.test('X-Forwarded-For from a peer that trustProxy does not include logs one warning, even if trustProxy is a number', async (t) => {
  for (const trustProxy of [1, '10.0.0.0/8']) {
    const { browser, count } = await buildLogged(t, { fastify: { trustProxy: trustProxy as string } })
    for (let n = 0; n < 2; n++) await browser().post('/auth/logout', {}, { 'x-forwarded-for': '203.0.113.1' })
    t.equal(count(/trustProxy/), 1, String(trustProxy))
  }
  const named = await buildLogged(t, { fastify: { trustProxy: '192.0.2.0/24' } })
  await named.browser().post('/auth/logout', {}, { 'x-forwarded-for': '203.0.113.1' })
  t.equal(named.count(/trustProxy/), 0, 'a peer that trustProxy includes')
})

t.test('X-Forwarded-For logs no warning if trustProxy is on', async (t) => {
  const { browser, count } = await buildLogged(t, { fastify: { trustProxy: true } })
  await browser().post('/auth/logout', {}, { 'x-forwarded-for': '203.0.113.7' })
  t.equal(count(/trustProxy/), 0)
})

t.test('the application\'s own routes get no warning, no header and no hook of the plugin', async (t) => {
  const { browser, count } = await buildLogged(t, { after: (app) => { app.post('/own', async (request) => ({ body: request.body ?? 'none' })) } })
  const response = await browser().send({
    method: 'POST', url: '/own', headers: { 'x-forwarded-for': '203.0.113.7', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
  })
  t.match(response, { status: 200, body: { body: 'none' }, headers: { 'cache-control': undefined } })
  t.equal(count(/trustProxy/), 0)
})

t.test('stored emails with uppercase letters log a warning at boot, and others do not', async (t) => {
  for (const [email, warnings] of [['Anna@example.com', 1], ['anna@Example.com', 1], [ANNA, 0]] as const) {
    const { client, storage } = openStorage(t)
    client.prepare('insert into otp_users (id, email, is_verified) values (?, ?, 1)').run('u1', email)
    const { count } = await buildLogged(t, { storage })
    t.equal(count(/upper-case/), warnings, email)
  }
})

t.test('a storage that cannot be read at boot is logged and does not stop the application', async (t) => {
  const { storage, fail } = spyStorage(openStorage(t).storage)
  fail('hasMixedCaseEmails')
  const { browser, codeFor, count } = await buildLogged(t, { storage })
  t.equal(count(/Storage cannot be read/), 1)
  t.ok(await browser().login(ANNA, codeFor), 'the storage may work later')
})

t.test('a database without the plugin\'s tables is logged at boot, and requests get 503', async (t) => {
  const { client, db } = openDatabase()
  t.teardown(() => client.close())
  for (const table of ['otp_users', 'otp_challenges', 'otp_counters', 'otp_sessions']) client.exec(`drop table ${table}`)
  const { browser, count } = await buildLogged(t, { storage: drizzleStorage(db) })
  t.equal(count(/Storage cannot be read/), 1)
  t.match(await browser().requestOtp(ANNA), { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' } })
})

/** An application that does not await delivery. Its emails are not sent until the test calls `release`. */
async function buildWithSlowDelivery (t: Test, options: Partial<OtpAuthOptions> & { after?: (app: FastifyInstance) => void } = {}) {
  let release!: () => void
  const gate = new Promise<void>((resolve) => { release = resolve })
  const sent: string[] = []
  const sendOtp = async ({ email }: { email: string }) => {
    await gate
    sent.push(email)
  }
  return { release, sent, ...await buildApp(t, { sendOtp, awaitDelivery: false, ...options }) }
}

t.test('onClose waits for unfinished deliveries', async (t) => {
  const { app, browser, release, sent } = await buildWithSlowDelivery(t)
  t.match(await browser().requestOtp(ANNA), { status: 200 })
  let closed = false
  const closing = app.close().then(() => { closed = true })
  await turns()
  t.notOk(closed)
  t.same(sent, [])
  release()
  await closing
  t.same(sent, [ANNA])
})

t.test('if the application closes during a request, the email of that request is still sent', async (t) => {
  let closing: Promise<void> | undefined
  let closed = false
  const { app, release, sent } = await buildWithSlowDelivery(t, {
    routes: {
      requestOtp: {
        preHandler: async () => {
          closing = app.close().then(() => { closed = true })
          await turns()
        }
      }
    }
  })
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  // A kept-alive connection would keep the server open for its keepAliveTimeout of 72 s.
  const response = await fetch(`${base}/auth/request-otp`, {
    method: 'POST', body: JSON.stringify({ email: ANNA }), headers: { 'content-type': 'application/json', connection: 'close' }
  })
  t.match(await response.json(), { request_id: String })
  await turns()
  t.notOk(closed)
  release()
  await closing
  t.same(sent, [ANNA])
})

t.test('onClose waits at most deliveryTimeout for a delivery that never ends', async (t) => {
  const { app, browser, events } = await buildWithSlowDelivery(t, { deliveryTimeout: 0.05 })
  t.match(await browser().requestOtp(ANNA), { status: 200 })
  await app.close()
  t.match(events.at(-1), { type: 'delivery.failed', reason: 'timeout' })
})

t.test('the cleanup timer runs, survives a failure, does not keep the process alive and is cleared in onClose', async (t) => {
  await withTimers(async ({ made, cleared }) => {
    const { storage, calls, fail } = spyStorage(openStorage(t).storage)
    const { app, count } = await buildLogged(t, { storage, cleanupInterval: '30m' })
    t.match(made.map(({ delay }) => delay), [30 * 60_000])
    const [{ callback, timer }] = made as [Made]
    t.equal(timer.hasRef(), false)

    calls.length = 0
    await callback()
    t.same(calls, ['removeExpired', 'removeExpired', 'removeExpired'])
    fail('removeExpired')
    await t.resolves(callback())
    t.equal(count(/Cleanup failed/), 1)

    t.notOk(cleared.includes(timer))
    await app.close()
    t.ok(cleared.includes(timer))
  })
})

t.test('with cleanupInterval false, no timer is set', async (t) => {
  await withTimers(async ({ made }) => {
    await buildApp(t, { cleanupInterval: false })
    t.same(made, [])
  })
})

/** Boots the built package with its cleanup timer and then does nothing. */
const IDLE = `
  import Sqlite from 'better-sqlite3'
  import { drizzle } from 'drizzle-orm/better-sqlite3'
  import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
  import Fastify from 'fastify'
  import otpAuth from 'fastify-otp-auth'
  import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/sqlite'
  const db = drizzle(new Sqlite(':memory:'))
  migrate(db, migrations)
  const app = Fastify()
  await app.register(otpAuth, { secretKey: 'x'.repeat(32), storage: drizzleStorage(db), sendOtp: () => {} })
  await app.ready()
  process.stdout.write('ready')
`

t.test('the plugin does not keep an idle process alive', async (t) => {
  freshDist()
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', IDLE], {
    cwd, timeout: 60_000, encoding: 'utf8', env: ownEnvironment()
  })
  t.match(child, { status: 0, signal: null, stdout: 'ready' }, child.stderr)
})

t.test('a database that the application opened stays open when the plugin closes', async (t) => {
  const { client, storage } = openStorage(t)
  const { app } = await buildApp(t, { storage })
  await app.close()
  t.ok(client.open)
  t.ok(client.prepare('select count(*) as n from otp_users').get())
})
