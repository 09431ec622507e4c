import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import otpAuth, { type OtpAuthEvent, type OtpAuthOptions, type OtpAuthStorage, type OtpMail } from '../../src/index.ts'
import { drizzleStorage, migrations } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { Browser } from './browser.ts'
import { leaks, logStream, remember } from './log.ts'

/** A time for the clock to start at; a real one, with milliseconds. */
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

/** A storage on a database in memory of its own, and its client. */
export function openStorage (t: Test) {
  const { client, db } = openDatabase()
  t.teardown(() => client.close())
  return { client, storage: drizzleStorage(db) }
}

export interface TestApp {
  app: FastifyInstance
  clock: ReturnType<typeof createClock>
  /** Everything that was mailed, oldest first. */
  mails: OtpMail[]
  events: OtpAuthEvent[]
  client: Sqlite.Database
  storage: OtpAuthStorage
  /** A browser of its own: its own cookies, its own network address. */
  browser (ip?: string): Browser
  /** The newest code that was mailed to the address. */
  codeFor (email: string): string
}

type Setup = Partial<OtpAuthOptions> & {
  /** Before and after the plugin is registered. */
  before?: (app: FastifyInstance) => Promise<unknown> | unknown
  after?: (app: FastifyInstance) => Promise<unknown> | unknown
  fastify?: FastifyServerOptions
}

/** An application with the plugin on SQLite in memory, its clock, its mails and its events. */
export async function buildApp (t: Test, { before, after, fastify, ...options }: Setup = {}): Promise<TestApp> {
  const { client, db } = openDatabase()
  const clock = createClock()
  const mails: OtpMail[] = []
  const events: OtpAuthEvent[] = []
  const storage = options.storage ?? drizzleStorage(db)
  const app = Fastify({ logger: { level: 'debug', stream: logStream }, ...fastify })
  t.teardown(async () => {
    await app.close()
    client.close()
    const leaked = leaks()
    if (leaked.length > 0) throw new Error(`the log holds secrets: ${leaked.join(' ')}`)
  })
  await before?.(app)
  await app.register(otpAuth, {
    secretKey: 'a secret of the tests, of 32 bytes or more',
    onEvent: (event) => { events.push(event) },
    clock,
    cleanupInterval: false,
    ...options,
    sendOtp: async (mail) => {
      remember(mail.email)
      remember(mail.code)
      mails.push(mail)
      await options.sendOtp?.(mail)
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
    mails,
    events,
    client,
    storage,
    browser: (ip = '192.0.2.1') => new Browser(app, ip),
    codeFor: (email) => mails.findLast((mail) => mail.email === email)!.code
  }
}

/** The storage with some of its verbs replaced; the others are the real ones. */
export function withVerbs (storage: OtpAuthStorage, verbs: Partial<OtpAuthStorage>): OtpAuthStorage {
  return { ...storage, ...verbs }
}

/** A code that is surely not `code`. */
export function wrongCode (code: string): string {
  return String((Number(code) + 1) % 10 ** code.length).padStart(code.length, '0')
}
