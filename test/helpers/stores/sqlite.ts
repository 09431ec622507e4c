import { setImmediate } from 'node:timers/promises'
import { count, eq } from 'drizzle-orm'
import { STORAGE_VERBS } from '../../../src/storage/verbs.ts'
import { drizzleStorage, sessions, users } from '../../../src/storage/drizzle/sqlite/adapter.ts'
import type { OtpAuthStorage } from '../../../src/storage/contract.ts'
import { openDatabase } from '../app.ts'
import type { SpecOf, Store } from '../stores.ts'

export async function openStore ({ file }: SpecOf<'sqlite'>): Promise<Store> {
  const { client, db } = openDatabase(file)
  // With WAL this is safe, and the disk does not slow down the races.
  client.pragma('synchronous = NORMAL')
  return {
    storage: serialized(drizzleStorage(db)),
    countUsers: async (email) => db.select({ n: count() }).from(users).where(eq(users.email, email)).get()!.n,
    countSessions: async (userId) => db.select({ n: count() }).from(sessions).where(eq(sessions.userId, userId)).get()!.n,
    close: async () => { client.close() }
  }
}

/**
 * The same storage, in which each call first waits for the next turn of the event loop, as over a network. Otherwise a
 * synchronous driver would run a whole request at once, and requests in one process would never race.
 */
function serialized (storage: OtpAuthStorage): OtpAuthStorage {
  const verbs = storage as unknown as Record<string, (input: unknown) => unknown>
  const waiting: Record<string, unknown> = { userId: storage.userId }
  for (const verb of STORAGE_VERBS) {
    waiting[verb] ??= async (input: unknown) => {
      await setImmediate()
      return await verbs[verb]!(input)
    }
  }
  return waiting as unknown as OtpAuthStorage
}
