import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { Browser } from '../helpers/browser.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { freshDist } from '../helpers/fresh-dist.ts'
import { httpClient } from '../helpers/http-client.ts'
import { createDatabase } from '../adapters/pg-servers.ts'

const MAIL = 'ada@example.com'
const SECRET = 'the same secret after a restart, 32 bytes or more'

// The examples import the package by its own name, which is `dist`.
freshDist()

/** A folder for what an example leaves behind. */
async function temporaryFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-example-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Starts an example as its script does, on a free port and in a folder; `stop` ends it as Ctrl-C does. */
async function startExample (t: Test, name: string, cwd: string, environment: NodeJS.ProcessEnv = {}) {
  const program = fileURLToPath(new URL(`../examples/${name}/server.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    cwd,
    env: { ...ownEnvironment(), DATABASE_URL: '', OTP_AUTH_SECRET: SECRET, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const complaints = text(child.stderr)
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })

  const lines = createInterface(child.stdout)
  const port = await new Promise<number>((resolve, reject) => {
    lines.on('line', (line) => {
      const [, port] = /^Open http:\/\/localhost:(\d+)$/.exec(line) ?? []
      if (port !== undefined) resolve(Number(port))
    })
    lines.once('close', async () => reject(new Error(`the ${name} example ended before it listened: ${await complaints}`)))
  })
  const client = httpClient(port, 5)
  t.teardown(() => client.close())

  return {
    client,
    async stop () {
      client.close()
      child.kill('SIGINT')
      t.same(await ended, [0, null], 'it closes everything and ends by itself')
    }
  }
}

/** Logs in with the code from the development inbox, and finds the session again after a restart of the example. */
async function logsInAndStays (t: Test, name: string, environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const folder = await temporaryFolder(t)
  const first = await startExample(t, name, folder, environment)
  const browser = new Browser(first.client, '127.0.0.1')
  t.match(await browser.requestOtp(MAIL), { status: 200 })
  const { body: [mail] } = await browser.get('/inbox/mails')
  t.equal(mail.to, MAIL)
  const { body: { access_token: token } } = await browser.verifyOtp(MAIL, mail.code)
  const me = await browser.get('/me', token)
  t.match(me, { status: 200, body: { email: MAIL, isVerified: true } })
  t.equal(typeof me.body.id, 'string')
  t.match(await browser.get('/billing', token), { status: 200, body: { billedTo: MAIL } })
  await first.stop()

  const second = await startExample(t, name, folder, environment)
  const restored = browser.at(second.client)
  const { status, body: { access_token: next } } = await restored.refresh()
  t.equal(status, 200)
  t.same((await restored.get('/me', next)).body, me.body)
  t.match(await restored.logout(), { status: 200 })
  t.match(await restored.get('/me', next), { status: 401 })
  await second.stop()
  return await readdir(folder)
}

t.test('SQLite: logs in, and keeps its data in a file', async (t) => {
  t.ok((await logsInAndStays(t, 'sqlite')).includes('example.db'))
})

t.test('PostgreSQL: logs in on PGlite, and keeps its data in a folder', async (t) => {
  t.same(await logsInAndStays(t, 'postgres'), ['example-pglite'])
})

const postgresUrl = process.env['TEST_POSTGRES_URL']
t.test('PostgreSQL: logs in on the server of DATABASE_URL', { skip: !postgresUrl && 'TEST_POSTGRES_URL is not set' }, async (t) => {
  const { url, drop } = await createDatabase(postgresUrl!)
  t.teardown(drop)
  t.same(await logsInAndStays(t, 'postgres', { DATABASE_URL: url }), [], 'it leaves nothing here')
})

const mongodbUrl = process.env['TEST_MONGODB_URL']
t.test('MongoDB: logs in on the server of MONGODB_URL', { skip: !mongodbUrl && 'TEST_MONGODB_URL is not set' }, async (t) => {
  const url = Object.assign(new URL(mongodbUrl!), { pathname: `/otp_auth_${randomUUID()}` }).href
  const client = await new MongoClient(url).connect()
  t.teardown(async () => {
    await client.db().dropDatabase()
    await client.close()
  })
  t.same(await logsInAndStays(t, 'mongodb', { MONGODB_URL: url }), [], 'it leaves nothing here')
  const indexes = await client.db().collection('otp_users').indexes()
  t.ok(indexes.some(({ key, unique }) => 'email' in key && unique), 'it made the indexes')
})
