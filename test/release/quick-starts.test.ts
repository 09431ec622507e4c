/** The README's programs, put together as it says and run as they stand, each on its database. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { createDatabase as createMysqlDatabase } from '../adapters/mysql-database.ts'
import { createDatabase as createPostgresDatabase } from '../adapters/pg-servers.ts'
import { MongodbServer } from '../adapters/mongodb-database.ts'
import { skipWithout } from '../helpers/databases.ts'
import { blocksIn } from '../helpers/docs.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { freshDist } from '../helpers/fresh-dist.ts'

// The programs import the package by its own name, which is `dist`.
freshDist()

const blocks = blocksIn('js').filter(({ at }) => at.startsWith('README.md'))
const blockOf = (text: string) => blocks.find(({ code }) => code.includes(text))!.code
const main = blockOf("new Database('app.db')")
const ofSqlite = main.slice(main.indexOf('import Database'), main.indexOf('const app ='))

/** The first program with the lines of another database in the place of its own, as the README says. */
function onAnother (lines: string): string {
  const program = main.replace(ofSqlite, `${lines}\n`)
  return lines.includes('const storage =') ? program.replace('storage: drizzleStorage(db)', 'storage') : program
}

async function postgres (t: Test): Promise<NodeJS.ProcessEnv> {
  const { url, drop } = await createPostgresDatabase(process.env['TEST_POSTGRES_URL']!)
  t.teardown(drop)
  return { DATABASE_URL: url }
}

const programs: Record<string, { code: string, skip?: string | false, environment?: (t: Test) => Promise<NodeJS.ProcessEnv> }> = {
  'SQLite, better-sqlite3': { code: main },
  'PostgreSQL, node-postgres': { code: onAnother(blockOf("from 'drizzle-orm/node-postgres'")), skip: skipWithout('pg'), environment: postgres },
  'PostgreSQL, postgres.js': { code: onAnother(blockOf("from 'drizzle-orm/postgres-js'")), skip: skipWithout('pg'), environment: postgres },
  PGlite: { code: onAnother(blockOf("from 'drizzle-orm/pglite'")) },
  'MySQL and MariaDB': {
    code: onAnother(blockOf("from 'drizzle-orm/mysql2'")),
    skip: skipWithout('mysql'),
    async environment (t) {
      const { url, close } = await createMysqlDatabase()
      t.teardown(close)
      return { DATABASE_URL: url }
    }
  },
  MongoDB: {
    code: onAnother(blockOf("from 'fastify-otp-auth/mongodb'")),
    skip: skipWithout('mongodb'),
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

for (const [name, { code, skip, environment }] of Object.entries(programs)) {
  t.test(`the program for ${name} logs in`, { skip: skip ?? false }, async (t) => {
    const folder = t.testdir({})
    t.ok(code.includes('port: 3000'))
    writeFileSync(join(folder, 'server.mjs'), code.replace('port: 3000', 'port: 0'))
    const server = spawn(process.execPath, ['server.mjs'], {
      cwd: folder,
      env: { ...ownEnvironment(), OTP_AUTH_SECRET: 'a secret of the tests, of 32 bytes or more', ...await environment?.(t) },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    t.teardown(async () => {
      server.kill()
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
    })
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]()
    async function said (pattern: RegExp): Promise<string> {
      for (let line = await lines.next(); !line.done; line = await lines.next()) {
        const match = pattern.exec(line.value)
        if (match !== null) return match[1]!
      }
      throw new Error(`the program ended and never said ${pattern}`)
    }

    const origin = await said(/(http:\/\/127\.0\.0\.1:\d+)/)
    const post = async (path: string, body: object) => {
      const answer = await fetch(origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
      return await answer.json() as Record<string, unknown>
    }
    const email = 'you@example.com'
    const { request_id: requestId } = await post('/auth/request-otp', { email })
    const { access_token: token } = await post('/auth/verify-otp', { email, code: await said(/your code is (\d{6})/), request_id: requestId })
    const headers = { authorization: `Bearer ${token}` }
    t.match(await (await fetch(`${origin}/me`, { headers })).json(), { email, isVerified: true })
    t.equal(await (await fetch(`${origin}/billing`, { headers })).text(), email)
    t.equal((await fetch(`${origin}/me`)).status, 401)
  })
}
