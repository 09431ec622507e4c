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
import { skipWithout } from '../helpers/requirements.ts'
import { createDatabase } from '../helpers/databases/pg.ts'

const EMAIL = 'ada@example.com'
const SECRET = 'the same secret after a restart, 32 bytes or more'

// The examples import the package by its name, which resolves to `dist`.
freshDist()

/** Creates a folder for the files of an example. */
async function temporaryFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-example-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Runs the server of an example in a folder. It is killed when the test ends. */
function runExample (t: Test, name: string, cwd: string, environment: NodeJS.ProcessEnv = {}) {
  const program = fileURLToPath(new URL(`../../examples/${name}/server.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    cwd,
    env: { ...ownEnvironment(), DATABASE_URL: '', SMTP_URL: '', OTP_AUTH_SECRET: SECRET, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const errorOutput = text(child.stderr)
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, errorOutput, ended }
}

/** Starts an example in a folder, on a free port. `stop` ends it as Ctrl-C does. */
async function startExample (t: Test, name: string, cwd: string, environment: NodeJS.ProcessEnv = {}) {
  const { child, errorOutput, ended } = runExample(t, name, cwd, environment)
  const lines = createInterface(child.stdout)
  const port = await new Promise<number>((resolve, reject) => {
    lines.on('line', (line) => {
      const [, port] = /^Open http:\/\/localhost:(\d+)$/.exec(line) ?? []
      if (port !== undefined) resolve(Number(port))
    })
    lines.once('close', async () => reject(new Error(`The ${name} example ended before it started to listen: ${await errorOutput}`)))
  })
  const client = httpClient(port, 5)
  t.teardown(() => client.close())

  return {
    client,
    async stop () {
      client.close()
      child.kill('SIGINT')
      t.same(await ended, [0, null], 'it closes everything, and the process ends')
    }
  }
}

/** Logs in with the code from the development inbox, and checks that the session still works after a restart. */
async function loginSurvivesRestart (t: Test, name: string, environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const folder = await temporaryFolder(t)
  const first = await startExample(t, name, folder, environment)
  const browser = new Browser(first.client, '127.0.0.1')
  t.match(await browser.requestOtp(EMAIL), { status: 200 })
  const { body: [email] } = await browser.get('/inbox/emails')
  t.equal(email.to, EMAIL)
  const { body: { access_token: token } } = await browser.verifyOtp(EMAIL, email.code)
  const me = await browser.get('/me', token)
  t.match(me, { status: 200, body: { email: EMAIL, isVerified: true } })
  t.equal(typeof me.body.id, 'string')
  t.match(await browser.get('/billing', token), { status: 200, body: { billedTo: EMAIL } })
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

t.test('SQLite: a login survives a restart, and the data is in a file', async (t) => {
  t.ok((await loginSurvivesRestart(t, 'sqlite')).includes('example.db'))
})

t.test('PostgreSQL: a login survives a restart on PGlite, and the data is in a folder', async (t) => {
  t.same(await loginSurvivesRestart(t, 'postgres'), ['example-pglite'])
})

const postgresUrl = process.env['TEST_POSTGRES_URL']
t.test('PostgreSQL: a login survives a restart on the server of DATABASE_URL', { skip: skipWithout('TEST_POSTGRES_URL') }, async (t) => {
  const { url, drop } = await createDatabase(postgresUrl!)
  t.teardown(drop)
  t.same(await loginSurvivesRestart(t, 'postgres', { DATABASE_URL: url }), [], 'it leaves no files')
})

const mongodbUrl = process.env['TEST_MONGODB_URL']
t.test('MongoDB: a login survives a restart on the server of MONGODB_URL', { skip: skipWithout('TEST_MONGODB_URL') }, async (t) => {
  const url = Object.assign(new URL(mongodbUrl!), { pathname: `/otp_auth_${randomUUID()}` }).href
  const client = await new MongoClient(url).connect()
  t.teardown(async () => {
    await client.db().dropDatabase()
    await client.close()
  })
  t.same(await loginSurvivesRestart(t, 'mongodb', { MONGODB_URL: url }), [], 'it leaves no files')
  const indexes = await client.db().collection('otp_users').indexes()
  t.ok(indexes.some(({ key, unique }) => 'email' in key && unique), 'it created the indexes')
})

t.test('SMTP: without SMTP_URL the example says what it needs, and ends', async (t) => {
  const folder = await temporaryFolder(t)
  const { errorOutput, ended } = runExample(t, 'smtp', folder)
  const [problem = '', command = ''] = (await errorOutput).split('\n')
  t.match(problem, /^SMTP_URL is not set\. Expected the URL of your SMTP server\./)
  t.match(command, /^ +SMTP_URL=smtps:\S+ .* npm run example:smtp$/)
  t.same(await ended, [1, null])
  t.same(await readdir(folder), [], 'it leaves no files')
})
