import { MongoClient } from 'mongodb'
import { mongodbStorage } from '../../../src/storage/mongodb/adapter.ts'
import type { SpecOf, Store } from '../stores.ts'

export async function openStore ({ url, database, timeout }: SpecOf<'mongodb'>): Promise<Store> {
  const client = await new MongoClient(url, { maxPoolSize: 10, serverSelectionTimeoutMS: 2000 }).connect()
  const db = client.db(database)
  return {
    storage: mongodbStorage(db, { timeout }),
    countUsers: async (email) => await db.collection('otp_users').countDocuments({ email }),
    countSessions: async (userId) => await db.collection('otp_sessions').countDocuments({ userId }),
    close: async () => { await client.close() }
  }
}
