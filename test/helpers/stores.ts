import { setImmediate } from 'node:timers/promises'
import { count, eq } from 'drizzle-orm'
import { STORAGE_VERBS } from '../../src/storage/fail-closed.ts'
import type { OtpAuthStorage } from '../../src/storage/storage.ts'
import { drizzleStorage, sessions, users } from '../../src/storage/drizzle/sqlite.ts'
import { openDatabase } from './app.ts'

/** Which database, in words that can be handed to another process. */
export interface StoreSpec {
  kind: 'sqlite'
  /** A file that several processes can open, or `:memory:`. */
  file: string
}

/** A database with its tables made: the storage on it, and what a test counts past the storage contract. */
export interface Store {
  storage: OtpAuthStorage
  countUsers (email: string): Promise<number>
  /** All session rows of a user, ended ones too. */
  countSessions (userId: string): Promise<number>
  close (): Promise<void>
}

const kinds: { [Kind in StoreSpec['kind']]: (spec: StoreSpec & { kind: Kind }) => Promise<Store> } = {
  async sqlite ({ file }) {
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
}

export async function openStore (spec: StoreSpec): Promise<Store> {
  return await kinds[spec.kind](spec)
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
