import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/sqlite'
import { buildExample, serve } from '../shared/app.ts'
import { createEmailTransport } from './transport.ts'

const smtpUrl = process.env['SMTP_URL']
if (!smtpUrl) {
  console.error('SMTP_URL is not set. Expected the URL of your SMTP server. Start the example like this:\n' +
    '  SMTP_URL=smtps://user:password@smtp.example.com EMAIL_FROM="Example <login@example.com>" npm run example:smtp')
  process.exit(1)
}
const transport = createEmailTransport(smtpUrl, {
  from: process.env['EMAIL_FROM'] ?? 'Example <login@example.com>',
  app: 'Example',
  site: 'http://localhost:3000'
})

const sqlite = new Database('example.db')
sqlite.pragma('journal_mode = WAL')
sqlite.pragma('busy_timeout = 5000')
const db = drizzle(sqlite)
migrate(db, migrations)

const app = await buildExample({
  storage: drizzleStorage(db),
  closeDatabase () {
    transport.close()
    sqlite.close()
  },
  otpAuth: { sendOtp: transport.send }
})
await serve(app)
