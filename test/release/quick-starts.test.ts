/** The README's server runs on plain Node, with SQLite and with each block of docs/databases.md in place of its SQLite lines. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createDatabase as createMysqlDatabase } from '../helpers/databases/mysql.ts'
import { createDatabase as createPostgresDatabase } from '../helpers/databases/pg.ts'
import { MongodbServer } from '../helpers/databases/mongodb.ts'
import { skipWithoutServer } from '../helpers/databases.ts'
import { skipWithout } from '../helpers/requirements.ts'
import { blocksOf } from '../helpers/docs.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { freshDist } from '../helpers/fresh-dist.ts'

// The programs import the package by its own name, which is `dist`.
freshDist()

const [server] = blocksOf('README.md', 'js') as [string]
const sqliteLines = server.slice(server.indexOf('import Database'), server.indexOf('const app ='))
const databases = blocksOf('docs/databases.md', 'js')

/** The README's server with the block of another database instead of its own lines, as the page says. */
function onAnother (driver: string): string {
  const [block, ...others] = databases.filter((code) => code.includes(`from '${driver}'`))
  if (block === undefined || others.length > 0) throw new Error(`docs/databases.md must have one block for ${driver}`)
  const program = server.replace(sqliteLines, `${block}\n`)
  return block.includes('const storage =') ? program.replace('storage: drizzleStorage(db)', 'storage') : program
}

async function postgres (t: Test): Promise<NodeJS.ProcessEnv> {
  const { url, drop } = await createPostgresDatabase(process.env['TEST_POSTGRES_URL']!)
  t.teardown(drop)
  return { DATABASE_URL: url }
}

const programs: Record<string, { code: string, skip?: string | false, environment?: (t: Test) => Promise<NodeJS.ProcessEnv> }> = {
  'SQLite, better-sqlite3': { code: onAnother('drizzle-orm/better-sqlite3') },
  'SQLite, libsql': { code: onAnother('drizzle-orm/libsql') },
  'PostgreSQL, node-postgres': { code: onAnother('drizzle-orm/node-postgres'), skip: skipWithoutServer('pg'), environment: postgres },
  'PostgreSQL, postgres.js': { code: onAnother('drizzle-orm/postgres-js'), skip: skipWithoutServer('pg'), environment: postgres },
  PGlite: { code: onAnother('drizzle-orm/pglite') },
  'MySQL and MariaDB': {
    code: onAnother('drizzle-orm/mysql2'),
    skip: skipWithoutServer('mysql'),
    async environment (t) {
      const { url, close } = await createMysqlDatabase()
      t.teardown(close)
      return { DATABASE_URL: url }
    }
  },
  MongoDB: {
    code: onAnother('fastify-otp-auth/mongodb'),
    skip: skipWithoutServer('mongodb'),
    async environment (t) {
      const url = process.env['TEST_MONGODB_URL']!
      const server = new MongodbServer(url, 1)
      const { db, close } = await server.open()
      t.teardown(async () => {
        await close()
        await server.end()
      })
      return { MONGODB_URL: Object.assign(new URL(url), { pathname: `/${db.databaseName}` }).href }
    }
  }
}

t.test('every block of docs/databases.md is run', async (t) => {
  t.equal(databases.length, Object.keys(programs).length)
  t.ok(Object.values(programs).every(({ code }) => code.includes('sendOtp') && !code.includes(sqliteLines)))
})

const email = 'you@example.com'

/** Starts a program in a process of its own. */
async function start (t: Test, code: string, environment: NodeJS.ProcessEnv = {}) {
  const folder = t.testdir({})
  t.ok(code.includes('port: 3000'))
  writeFileSync(join(folder, 'server.mjs'), code.replace('port: 3000', 'port: 0'))
  const server = spawn(process.execPath, ['server.mjs'], {
    cwd: folder,
    env: { ...ownEnvironment(), OTP_AUTH_SECRET: 'a secret of the tests, of 32 bytes or more', ...environment },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(async () => {
    server.kill()
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
  })
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]()
  async function printed (pattern: RegExp): Promise<string> {
    for (let line = await lines.next(); !line.done; line = await lines.next()) {
      const match = pattern.exec(line.value)
      if (match !== null) return match[1]!
    }
    throw new Error(`the program ended and never printed ${pattern}`)
  }
  const origin = await printed(/(http:\/\/127\.0\.0\.1:\d+)/)
  return { origin, printedCode: () => printed(/your code is (\d{6})/) }
}

for (const [name, { code, skip, environment }] of Object.entries(programs)) {
  t.test(`the server with ${name} logs in`, { skip: skip ?? false }, async (t) => {
    const { origin, printedCode } = await start(t, code, await environment?.(t))
    const post = async (path: string, body: object) => {
      const response = await fetch(origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
      return await response.json() as Record<string, unknown>
    }
    const { request_id: requestId } = await post('/auth/request-otp', { email })
    const { access_token: token } = await post('/auth/verify-otp', { email, code: await printedCode(), request_id: requestId })
    t.match(await (await fetch(`${origin}/me`, { headers: { authorization: `Bearer ${token}` } })).json(), { email, isVerified: true })
    t.equal((await fetch(`${origin}/me`)).status, 401)
  })
}

t.test('the server of the README logs in with the curl lines of the README', { skip: skipWithout('bash', 'curl') }, async (t) => {
  const { origin, printedCode } = await start(t, server)
  const lines = blocksOf('README.md', 'sh').flatMap((code) => code.split('\n')).filter((line) => line.startsWith('curl '))
  const run = async (line: string) => {
    const { stdout } = await promisify(execFile)('bash', ['-euc', line.replace('localhost:3000', origin)], { env: ownEnvironment() })
    return JSON.parse(stdout) as Record<string, string>
  }
  const [requestOtp, verifyOtp, me, ...others] = lines as [string, string, string]
  t.same(others, [])
  t.match(await run(requestOtp), { request_id: String, code_length: 6 })
  const { access_token: token } = await run(verifyOtp.replace('123456', await printedCode()))
  t.match(await run(me.replace('ACCESS_TOKEN', token!)), { email, isVerified: true })
})
