import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/mysql2'
import { createPool } from 'mysql2/promise'
import { drizzleStorage, sessions, users } from '../../../src/storage/drizzle/mysql/adapter.ts'
import type { SpecOf, Store } from '../stores.ts'

export async function openStore ({ url, timeout }: SpecOf<'mysql'>): Promise<Store> {
  const pool = createPool({ uri: url, connectionLimit: 10 })
  const db = drizzle(pool)
  return {
    storage: drizzleStorage(db, { timeout }),
    countUsers: async (email) => await db.$count(users, eq(users.email, email)),
    countSessions: async (userId) => await db.$count(sessions, eq(sessions.userId, userId)),
    close: async () => { await pool.end() }
  }
}
