import { mongodbStorage } from 'fastify-otp-auth/mongodb'
import { MongoClient } from 'mongodb'
import { buildExample, serve } from '../shared/app.ts'

// Less than our 5 s for an answer, so that a server that is gone is told apart from one that is slow.
const client = new MongoClient(process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/otp_auth_example', { serverSelectionTimeoutMS: 3000 })
await client.connect()

const storage = mongodbStorage(client.db())
await storage.ensureIndexes()

const app = await buildExample({
  storage,
  closeDatabase: () => client.close()
})
await serve(app)
