import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import t from 'tap'
import { blocksIn, blocksOf, compile, hasTest, proofs } from '../helpers/docs.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { freshDist } from '../helpers/fresh-dist.ts'
import { skipWithout } from '../helpers/requirements.ts'

// The blocks import the package by its own name, which is `dist`.
freshDist()

t.test('every TypeScript and JavaScript block compiles without changes, and a block with a wrong option is found', async (t) => {
  const blocks = blocksIn('ts', 'js')
  t.ok(blocks.length > 20, `${blocks.length} blocks`)
  const wrong = { at: 'nowhere.md:1', language: 'ts', code: 'await app.register(otpAuth, { secretKey, storage, sendOtp, otpLenght: 6 })' }
  const [found, ...others] = compile([wrong, ...blocks])
  t.match(found, /^nowhere\.md:1, line 1 of the block: [^]*otpLenght/)
  t.same(others, [])
})

t.test('the curl lines log in, refresh and log out when they are pasted into a shell', { skip: skipWithout('bash', 'curl') }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-'))
  const { buildExample } = await import('../../examples/shared/app.ts')
  const { drizzleStorage, migrations } = await import('fastify-otp-auth/drizzle/sqlite')
  const sqlite = new Sqlite(':memory:')
  const db = drizzle(sqlite)
  migrate(db, migrations)
  const app = await buildExample({ storage: drizzleStorage(db), closeDatabase: () => sqlite.close(), logger: false })
  t.teardown(async () => {
    await app.close()
    await rm(folder, { recursive: true })
  })
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))

  const [code, ...others] = blocksOf('docs/routes.md', 'bash')
  t.same(others, [])
  t.ok(code!.includes('URL=http://localhost:3000\n'))
  const script = code!.replace('http://localhost:3000', `http://localhost:${port}`)
  const { stdout } = await promisify(execFile)('bash', ['-euc', script], { cwd: folder, env: ownEnvironment() })
  const answers = stdout.trim().split(/(?<=\})(?=\{)/).map((answer) => JSON.parse(answer))
  t.match(answers, [
    { request_id: String, code_length: 6 },
    { email: 'you@example.com', isVerified: true },
    { billedTo: 'you@example.com' },
    { message: 'Logged out' },
    { statusCode: 401, code: 'OTP_AUTH_INVALID_TOKEN' }
  ])
})

for (const [page, table] of [['docs/databases.md', 'otp_users'], ['docs/from-python.md', 'users']] as const) {
  t.test(`the SQL statements of ${page} find and correct addresses with upper-case letters`, async (t) => {
    const sqlite = new Sqlite(':memory:')
    t.teardown(() => { sqlite.close() })
    sqlite.exec(`create table ${table} (email text unique, is_verified integer);
      insert into ${table} values ('Mike@X.io', 1), ('anna@x.io', 1), ('Anna@x.io', 0)`)
    const [code, ...others] = blocksOf(page, 'sql')
    t.same(others, [])
    const [find, correct] = code!.trim().split('\n')
    t.ok(sqlite.prepare(find!).all().length > 0, 'the first statement finds rows')
    t.throws(() => sqlite.exec(correct!), /UNIQUE/, 'two rows would become one')
    sqlite.exec(`delete from ${table} where email = 'Anna@x.io'`)
    sqlite.exec(correct!)
    t.same(sqlite.prepare(`select email from ${table} order by email`).pluck().all(), ['anna@x.io', 'mike@x.io'])
  })
}

t.test('every test that the threat model names exists', async (t) => {
  t.ok(proofs().length > 50, `${proofs().length} proofs`)
  t.same(proofs().filter((proof) => !hasTest(proof)), [])
  t.notOk(hasTest({ file: 'test/threats/races.test.ts', name: 'a test that does not exist' }))
})
