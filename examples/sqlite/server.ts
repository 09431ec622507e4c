import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/sqlite'
import { buildExample, serve } from '../shared/app.ts'

const sqlite = new Database('example.db')
sqlite.pragma('journal_mode = WAL')
sqlite.pragma('busy_timeout = 5000')

const db = drizzle(sqlite)
migrate(db, migrations)

const app = await buildExample({
  storage: drizzleStorage(db),
  closeDatabase: () => sqlite.close()
})
await serve(app)
