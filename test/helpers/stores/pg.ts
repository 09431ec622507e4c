import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { drizzleStorage, sessions, users } from '../../../src/storage/drizzle/pg/adapter.ts'
import type { SpecOf, Store } from '../stores.ts'

export async function openStore ({ url, timeout }: SpecOf<'pg'>): Promise<Store> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  // If an idle connection breaks, the pool emits an error. Without a listener, the error would end the process.
  pool.on('error', () => {})
  const db = drizzle({ client: pool })
  return {
    storage: drizzleStorage(db, { timeout }),
    countUsers: async (email) => await db.$count(users, eq(users.email, email)),
    countSessions: async (userId) => await db.$count(sessions, eq(sessions.userId, userId)),
    close: async () => { await pool.end() }
  }
}
