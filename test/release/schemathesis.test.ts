import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { freshDist } from '../helpers/fresh-dist.ts'
import { skipWithout } from '../helpers/requirements.ts'

const command = process.env['TEST_SCHEMATHESIS']

t.test('schemathesis finds no difference between the OpenAPI document and the example', { skip: skipWithout('TEST_SCHEMATHESIS') }, async (t) => {
  freshDist()
  const { buildExample } = await import('../../examples/shared/app.ts')
  const { drizzleStorage, migrations } = await import('fastify-otp-auth/drizzle/sqlite')

  const sqlite = new Database(':memory:')
  const db = drizzle(sqlite)
  migrate(db, migrations)
  // It sends hundreds of requests from one address. With the limits, most responses would be 429.
  const otpAuth: Partial<OtpAuthOptions> = { otpRateLimitSeconds: 0, rateLimit: false }
  const app = await buildExample({ storage: drizzleStorage(db), closeDatabase: () => sqlite.close(), logger: false, otpAuth })
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-schemathesis-'))
  t.teardown(async () => {
    await app.close()
    await rm(folder, { recursive: true, force: true })
  })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })

  async function run (t: Test, ...options: string[]): Promise<void> {
    // Fastify's router responds with 404 to a method that a path does not have. This is so in every application.
    const checks = ['--checks', 'all', '--exclude-checks', 'unsupported_method']
    const bounds = ['--workers', '1', '--max-examples', '25', '--seed', '1', '--no-color']
    const args = ['run', `${address}/docs/json`, ...checks, ...bounds, ...options]
    const settings = { cwd: folder, env: { ...ownEnvironment(), TERM: 'dumb' }, timeout: 120_000 }
    const { error, output } = await new Promise<{ error: Error | null, output: string }>((resolve) => {
      execFile(command!, args, settings, (error, stdout, stderr) => resolve({ error, output: stdout + stderr }))
    })
    t.equal(error, null, 'schemathesis reports no failure', { found: output })
    t.match(output, /\d+ generated, \d+ passed/, 'schemathesis ran tests')
  }

  await t.test('all operations, without a login', (t) => run(t))

  await t.test('the guarded routes, with a logged-in user', async (t) => {
    const email = 'anna@example.com'
    await app.inject({ method: 'POST', url: '/auth/request-otp', payload: { email } })
    const [{ code }] = (await app.inject('/inbox/emails')).json().filter(({ to }: { to: string }) => to === email)
    const { access_token: token } = (await app.inject({ method: 'POST', url: '/auth/verify-otp', payload: { email, code } })).json()
    await run(t, '--include-path-regex', '^/(me|billing)$', '--header', `Authorization: Bearer ${token}`)
  })
})
