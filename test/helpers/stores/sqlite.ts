import { setImmediate } from 'node:timers/promises'
import { count, eq } from 'drizzle-orm'
import { STORAGE_VERBS } from '../../../src/storage/verbs.ts'
import { drizzleStorage, sessions, users } from '../../../src/storage/drizzle/sqlite.ts'
import type { OtpAuthStorage } from '../../../src/storage/contract.ts'
import { openDatabase } from '../app.ts'
import type { SpecOf, Store } from '../stores.ts'

export async function openStore ({ file }: SpecOf<'sqlite'>): Promise<Store> {
  const { client, db } = openDatabase(file)
  // With WAL it costs no integrity, and the races are not to be slowed down by the disk.
  client.pragma('synchronous = NORMAL')
  return {
    storage: inTurns(drizzleStorage(db)),
    countUsers: async (email) => db.select({ n: count() }).from(users).where(eq(users.email, email)).get()!.n,
    countSessions: async (userId) => db.select({ n: count() }).from(sessions).where(eq(sessions.userId, userId)).get()!.n,
    close: async () => { client.close() }
  }
}

/**
 * The same storage, each of whose verbs waits for a turn of its own, as over a network. Without it a synchronous driver
 * would run a whole request in one go, and requests within one process would never race.
 */
function inTurns (storage: OtpAuthStorage): OtpAuthStorage {
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
