import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import otpAuth, { type OtpAuthEvent, type OtpAuthOptions, type OtpAuthStorage, type OtpEmail } from '../../src/index.ts'
import { drizzleStorage, migrations } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { Browser } from './browser.ts'
import { checkLog, logStream, openLog, remember } from './log.ts'

/** The time at which the clock starts. It has milliseconds, as a real time does. */
export const START = Date.UTC(2026, 0, 15, 12, 0, 0, 123)

/** A clock that stands still until a test moves it. */
export function createClock (start = START) {
  let now = start
  const clock = () => now
  return Object.assign(clock, { advance (seconds: number) { now += Math.round(seconds * 1000) } })
}

/** A migrated SQLite database in memory, or in a file. */
export function openDatabase (file = ':memory:') {
  const client = new Sqlite(file)
  client.pragma('journal_mode = WAL')
  client.pragma('busy_timeout = 5000')
  const db = drizzle(client)
  migrate(db, migrations)
  return { client, db }
}

/** A storage on its own database in memory, and the client of that database. */
export function openStorage (t: Test) {
  const { client, db } = openDatabase()
  t.teardown(() => client.close())
  return { client, storage: drizzleStorage(db) }
}

export interface TestApp {
  app: FastifyInstance
  clock: ReturnType<typeof createClock>
  /** All emails that were sent, oldest first. */
  emails: OtpEmail[]
  events: OtpAuthEvent[]
  client: Sqlite.Database
  storage: OtpAuthStorage
  /** Creates a browser with its own cookies. @param ip its address */
  browser (ip?: string): Browser
  /** The newest code that was sent to this email. */
  codeFor (email: string): string
}

type Setup = Partial<OtpAuthOptions> & {
  /** Run before and after the plugin is registered. */
  before?: (app: FastifyInstance) => Promise<unknown> | unknown
  after?: (app: FastifyInstance) => Promise<unknown> | unknown
  fastify?: FastifyServerOptions
}

/** An application with the plugin on SQLite in memory, with its clock, emails and events. */
export async function buildApp (t: Test, { before, after, fastify, ...options }: Setup = {}): Promise<TestApp> {
  const { client, db } = openDatabase()
  const clock = createClock()
  const emails: OtpEmail[] = []
  const events: OtpAuthEvent[] = []
  const storage = options.storage ?? drizzleStorage(db)
  const app = Fastify({ logger: { level: 'debug', stream: logStream }, ...fastify })
  openLog()
  t.teardown(async () => {
    try {
      await app.close()
      client.close()
    } finally {
      checkLog()
    }
  })
  await before?.(app)
  await app.register(otpAuth, {
    secretKey: 'a secret of the tests, of 32 bytes or more',
    onEvent: (event) => { events.push(event) },
    clock,
    cleanupInterval: false,
    ...options,
    sendOtp: async (otp) => {
      remember(otp.email)
      remember(otp.code)
      emails.push(otp)
      await options.sendOtp?.(otp)
    },
    storage
  })
  app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)
  app.get('/verified', { preHandler: [app.requireVerified] }, async (request) => ({ email: request.user.email }))
  await after?.(app)
  await app.ready()
  return {
    app,
    clock,
    emails,
    events,
    client,
    storage,
    browser: (ip = '192.0.2.1') => new Browser(app, ip),
    codeFor: (email) => emails.findLast((sent) => sent.email === email)!.code
  }
}

/** The storage with some of its methods replaced. */
export function withVerbs (storage: OtpAuthStorage, verbs: Partial<OtpAuthStorage>): OtpAuthStorage {
  return { ...storage, ...verbs }
}

/** A code of the same length that is not `code`. */
export function wrongCode (code: string): string {
  return String((Number(code) + 1) % 10 ** code.length).padStart(code.length, '0')
}
