import { randomUUID } from 'node:crypto'
import { MongoClient, type Collection, type Db } from 'mongodb'
import type { ConformanceDatabase } from '../../../src/conformance/index.ts'
import { mongodbStorage, type MongodbStorageOptions, type UserDocument } from '../../../src/storage/mongodb/adapter.ts'

/** A new empty database, with an adapter on each client. */
export interface MongodbDatabase extends ConformanceDatabase {
  db: Db
  storages: ReturnType<typeof mongodbStorage>[]
}

const expiryIndexes = [
  ['otp_challenges', 'expiresAt_1'], ['otp_counters', 'expiresAt_1'], ['otp_sessions', 'idleExpiresAt_1']
] as const

/** Clients of one server, each with its own pool. */
export class MongodbServer {
  readonly clients: MongoClient[]

  constructor (url: string, clients = 4) {
    this.clients = Array.from({ length: clients }, () => new MongoClient(url, { serverSelectionTimeoutMS: 5000 }))
  }

  /** @param users creates the options of each adapter from its own database handle */
  async open (users?: (db: Db) => MongodbStorageOptions<any>): Promise<MongodbDatabase> {
    const name = `otp_auth_${randomUUID()}`
    const databases = this.clients.map((client) => client.db(name))
    const db = databases[0]!
    const storages = databases.map((database) => mongodbStorage(database, users?.(database)))
    await storages[0]!.ensureIndexes()
    // The clock of the cases can be in the past. Without these indexes, the server does not remove their rows during a case.
    for (const [collection, index] of expiryIndexes) await db.collection(collection).dropIndex(index)
    return {
      db,
      storages,
      insertUserRow: async (user) => String((await usersOf(db).insertOne({ ...user })).insertedId),
      close: async () => { await db.dropDatabase() }
    }
  }

  async end (): Promise<void> {
    for (const client of this.clients) await client.close()
  }
}

export const usersOf = (db: Db): Collection<UserDocument> => db.collection('otp_users')
