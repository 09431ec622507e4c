import { PGlite } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { migrate as migratePGlite } from 'drizzle-orm/pglite/migrator'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/pg'
import pg from 'pg'
import { buildExample, serve } from '../shared/app.ts'

/** Connects to a PostgreSQL server with node-postgres. */
async function openServer (connectionString: string) {
  const pool = new pg.Pool({ connectionString })
  // Without this listener, an idle connection that breaks would end the process.
  pool.on('error', (error) => console.error('An idle connection to PostgreSQL broke. The pool opens a new one when it is needed.', error.message))
  const db = drizzle(pool)
  await migrate(db, migrations)
  return { db, close: () => pool.end() }
}

/** Runs PostgreSQL inside this process (PGlite), without a server. Its data is in a folder. */
async function openFolder (folder: string) {
  const client = new PGlite(folder)
  const db = drizzlePGlite(client)
  await migratePGlite(db, migrations)
  return { db, close: () => client.close() }
}

const url = process.env['DATABASE_URL']
const { db, close } = url ? await openServer(url) : await openFolder('example-pglite')

const app = await buildExample({
  storage: drizzleStorage(db),
  closeDatabase: close
})
await serve(app)
