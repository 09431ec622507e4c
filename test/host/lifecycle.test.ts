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

const ANNA = 'anna@example.com'

/** The application's own log, line by line. */
async function buildLogged (t: Test, { fastify, ...options }: Parameters<typeof buildApp>[1] & object = {}) {
  const logged: Array<{ level: number, msg: string }> = []
  const stream = { write: (line: string) => { logged.push(JSON.parse(line)) } }
  const built = await buildApp(t, { fastify: { logger: { level: 'info', stream }, ...fastify }, ...options })
  return { ...built, count: (pattern: RegExp) => logged.filter(({ level, msg }) => level >= 40 && pattern.test(msg)).length }
}

/** Lets everything that is ready run. */
async function turns (number = 20) {
  for (let turn = 0; turn < number; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}

t.test('X-Forwarded-For while trustProxy is off warns once', async (t) => {
  const { browser, count } = await buildLogged(t)
  const forwarded = { 'x-forwarded-for': '203.0.113.7' }
  await browser().post('/auth/logout')
  t.equal(count(/trustProxy/), 0)
  for (const url of ['/auth/logout', '/auth/refresh', '/auth/logout']) await browser().post(url, {}, forwarded)
  t.equal(count(/trustProxy/), 1)
})

t.test('X-Forwarded-For from a peer that trustProxy does not name warns once, also where it is a number', async (t) => {
  for (const trustProxy of [1, '10.0.0.0/8']) {
    const { browser, count } = await buildLogged(t, { fastify: { trustProxy: trustProxy as string } })
    for (let n = 0; n < 2; n++) await browser().post('/auth/logout', {}, { 'x-forwarded-for': '203.0.113.1' })
    t.equal(count(/trustProxy/), 1, String(trustProxy))
  }
  const named = await buildLogged(t, { fastify: { trustProxy: '192.0.2.0/24' } })
  await named.browser().post('/auth/logout', {}, { 'x-forwarded-for': '203.0.113.1' })
  t.equal(named.count(/trustProxy/), 0, 'named')
})

t.test('X-Forwarded-For while trustProxy is on is no news', async (t) => {
  const { browser, count } = await buildLogged(t, { fastify: { trustProxy: true } })
  await browser().post('/auth/logout', {}, { 'x-forwarded-for': '203.0.113.7' })
  t.equal(count(/trustProxy/), 0)
})

t.test('the host\'s own routes are left alone: no warning, no header, no hook of ours', async (t) => {
  const { browser, count } = await buildLogged(t, { after: (app) => { app.post('/host', async (request) => ({ body: request.body ?? 'none' })) } })
  const answer = await browser().send({
    method: 'POST', url: '/host', headers: { 'x-forwarded-for': '203.0.113.7', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
  })
  t.match(answer, { status: 200, body: { body: 'none' }, headers: { 'cache-control': undefined } })
  t.equal(count(/trustProxy/), 0)
})

t.test('addresses with upper-case letters warn at boot, others do not', async (t) => {
  for (const [email, warnings] of [['Anna@example.com', 1], ['anna@Example.com', 1], [ANNA, 0]] as const) {
    const { client, storage } = openStorage(t)
    client.prepare('insert into otp_users (id, email, is_verified) values (?, ?, 1)').run('u1', email)
    const { count } = await buildLogged(t, { storage })
    t.equal(count(/upper-case/), warnings, email)
  }
})

t.test('a storage that cannot be read at boot is logged and stops nothing', async (t) => {
  const { storage, fail } = spyStorage(openStorage(t).storage)
  fail('hasMixedCaseEmails')
  const { browser, codeFor, count } = await buildLogged(t, { storage })
  t.equal(count(/storage cannot be read/), 1)
  t.ok(await browser().login(ANNA, codeFor), 'it may come later')
})

t.test('a database without our tables is logged at boot and answers 503', async (t) => {
  const { client, db } = openDatabase()
  t.teardown(() => client.close())
  for (const table of ['otp_users', 'otp_challenges', 'otp_budgets', 'otp_sessions']) client.exec(`drop table ${table}`)
  const { browser, count } = await buildLogged(t, { storage: drizzleStorage(db) })
  t.equal(count(/storage cannot be read/), 1)
  t.match(await browser().requestOtp(ANNA), { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' } })
})

/** An application whose mails go out behind the answer and stay under way until the test lets them go. */
async function buildWithSlowMail (t: Test, options: Partial<OtpAuthOptions> & { after?: (app: FastifyInstance) => void } = {}) {
  let letGo!: () => void
  const gate = new Promise<void>((resolve) => { letGo = resolve })
  const sent: string[] = []
  const sendOtp = async ({ email }: { email: string }) => {
    await gate
    sent.push(email)
  }
  return { letGo, sent, ...await buildApp(t, { sendOtp, awaitDelivery: false, ...options }) }
}

t.test('onClose waits for deliveries under way', async (t) => {
  const { app, browser, letGo, sent } = await buildWithSlowMail(t)
  t.match(await browser().requestOtp(ANNA), { status: 200 })
  let closed = false
  const closing = app.close().then(() => { closed = true })
  await turns()
  t.notOk(closed)
  t.same(sent, [])
  letGo()
  await closing
  t.same(sent, [ANNA])
})

t.test('a request that is still being answered when the application closes has its mail sent, too', async (t) => {
  let closing: Promise<void> | undefined
  let closed = false
  const { app, letGo, sent } = await buildWithSlowMail(t, {
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
  // A connection kept alive would hold the server open for its keepAliveTimeout, 72 s.
  const answer = await fetch(`${base}/auth/request-otp`, {
    method: 'POST', body: JSON.stringify({ email: ANNA }), headers: { 'content-type': 'application/json', connection: 'close' }
  })
  t.match(await answer.json(), { request_id: String })
  await turns()
  t.notOk(closed)
  letGo()
  await closing
  t.same(sent, [ANNA])
})

t.test('onClose waits for a delivery that never ends no longer than deliveryTimeout', async (t) => {
  const { app, browser, events } = await buildWithSlowMail(t, { deliveryTimeout: 0.05 })
  t.match(await browser().requestOtp(ANNA), { status: 200 })
  await app.close()
  t.match(events.at(-1), { type: 'delivery.failed', reason: 'timeout' })
})

interface Made { callback: () => Promise<void>, delay: number, timer: NodeJS.Timeout }

/** Takes the place of the timers' functions while `run` runs. */
async function withTimers (run: (timers: { made: Made[], cleared: unknown[] }) => Promise<void>) {
  const { setInterval, clearInterval } = globalThis
  const made: Made[] = []
  const cleared: unknown[] = []
  globalThis.setInterval = ((callback: () => Promise<void>, delay: number) => {
    const timer = setInterval(callback, delay)
    made.push({ callback, delay, timer })
    return timer
  }) as typeof setInterval
  globalThis.clearInterval = ((timer: NodeJS.Timeout) => {
    cleared.push(timer)
    clearInterval(timer)
  }) as typeof clearInterval
  try {
    await run({ made, cleared })
  } finally {
    Object.assign(globalThis, { setInterval, clearInterval })
  }
}

t.test('the cleanup timer runs, survives a failure, keeps no process alive and is cleared in onClose', async (t) => {
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
    t.equal(count(/cleanup failed/), 1)

    t.notOk(cleared.includes(timer))
    await app.close()
    t.ok(cleared.includes(timer))
  })
})

t.test('cleanupInterval false sets no timer', async (t) => {
  await withTimers(async ({ made }) => {
    await buildApp(t, { cleanupInterval: false })
    t.same(made, [])
  })
})

/** Boots the built package with its cleanup timer set, and then has nothing to do. */
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

t.test('a process with nothing else to do ends by itself', async (t) => {
  freshDist()
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', IDLE], {
    cwd, timeout: 60_000, encoding: 'utf8', env: ownEnvironment()
  })
  t.match(child, { status: 0, signal: null, stdout: 'ready' }, child.stderr)
})

t.test('what the host opened stays open when ours closes', async (t) => {
  const { client, storage } = openStorage(t)
  const { app } = await buildApp(t, { storage })
  await app.close()
  t.ok(client.open)
  t.ok(client.prepare('select count(*) as n from otp_users').get())
})
