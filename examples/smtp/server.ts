import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/sqlite'
import { buildExample, serve } from '../shared/app.ts'
import { createMailer } from './mailer.ts'

const sqlite = new Database('example.db')
sqlite.pragma('journal_mode = WAL')
sqlite.pragma('busy_timeout = 5000')
const db = drizzle(sqlite)
migrate(db, migrations)

const mailer = createMailer(process.env['SMTP_URL'] ?? 'smtp://localhost:1025', {
  from: process.env['MAIL_FROM'] ?? 'Example <login@example.com>',
  app: 'Example',
  site: 'http://localhost:3000'
})

const app = await buildExample({
  storage: drizzleStorage(db),
  closeDatabase () {
    mailer.close()
    sqlite.close()
  },
  otpAuth: { sendOtp: mailer.send }
})
await serve(app)
