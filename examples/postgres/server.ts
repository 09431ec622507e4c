import { PGlite } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { migrate as migratePGlite } from 'drizzle-orm/pglite/migrator'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/pg'
import pg from 'pg'
import { buildExample, serve } from '../shared/app.ts'

/** A server, through node-postgres. */
async function openServer (connectionString: string) {
  const pool = new pg.Pool({ connectionString })
  // Without a listener, a connection that breaks while nobody uses it would end the process.
  pool.on('error', (error) => console.error('A connection to PostgreSQL broke:', error.message))
  const db = drizzle(pool)
  await migrate(db, migrations)
  return { db, close: () => pool.end() }
}

/** PostgreSQL in this process, which keeps its data in a folder: it needs no server. */
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
