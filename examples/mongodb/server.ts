import { mongodbStorage } from 'fastify-otp-auth/mongodb'
import { MongoClient } from 'mongodb'
import { buildExample, serve } from '../shared/app.ts'

const url = process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/otp_auth_example'
// Shorter than the storage's timeout of 5 s, so that the error tells an unreachable server from a slow one.
const client = new MongoClient(url, { serverSelectionTimeoutMS: 3000 })
await client.connect()

const storage = mongodbStorage(client.db())
await storage.ensureIndexes()

const app = await buildExample({
  storage,
  closeDatabase: () => client.close()
})
await serve(app)
