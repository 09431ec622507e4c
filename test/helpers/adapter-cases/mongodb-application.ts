import { MongoServerError, ObjectId, type Db } from 'mongodb'
import type { Test } from 'tap'
import type { UserRecord } from '../../../src/storage/contract.ts'
import type { MongodbDatabase, MongodbServer } from '../databases/mongodb.ts'

/** A document type of an application: an interface with its own ID type and its own field. */
interface Person {
  _id: string
  email: string
  isVerified: boolean
  username?: string
}

const email = 'mike@x.io'
const people = (db: Db) => ({ users: db.collection<Person>('people') })
const now = 1_790_000_000_123

const session = (userId: string) => ({
  id: 'session', userId, seq: 0, rotatedAt: null, createdAt: now, idleExpiresAt: now + 1, expiresAt: now + 2, revokedAt: null
})

async function made ({ storages: [storage] }: MongodbDatabase, fields: Record<string, unknown>): Promise<UserRecord> {
  const outcome = await storage!.insertUser({ email, fields })
  if ('refused' in outcome) throw outcome.refused
  return outcome.user
}

export function applicationCases (t: Test, server: MongodbServer): void {
  const withDatabase = (name: string, options: Parameters<MongodbServer['open']>[0], run: (t: Test, database: MongodbDatabase) => Promise<void>) =>
    t.test(name, async (t) => {
      const database = await server.open(options)
      t.teardown(() => database.close())
      await run(t, database)
    })

  for (const [kind, _id] of [
    ['text', 'mike'], ['text that looks like an ObjectId', 'a'.repeat(24)], ['text that looks like a number', '42'],
    ['a number', 42], ['an ObjectId', new ObjectId()], ['created by the driver', undefined]
  ] as const) {
    withDatabase(`a user of the application whose ID is ${kind} is found by that ID`, people, async (t, database) => {
      const [storage] = database.storages
      const user = await made(database, { _id, username: 'mike' })
      const stored = (await database.db.collection('people').findOne({ email }))!
      t.equal(user.id, String(stored._id))
      t.equal(storage!.userId(stored), user.id, 'the original document of the application')
      t.equal(storage!.userId(user.row), user.id)
      t.strictSame(user.row, { ...stored, id: user.id })
      t.match(user.row, { username: 'mike' })

      await storage!.insertSession(session(user.id))
      t.strictSame(await storage!.loadSession({ sessionId: 'session', userId: user.id }), { session: session(user.id), user })
    })
  }

  withDatabase('if two users have IDs with the same text, neither of them is found', people, async (t, { db, storages: [storage] }) => {
    await db.collection<any>('people').insertMany([{ _id: '42', email }, { _id: 42, email: 'anna@x.io' }])
    await storage!.insertSession(session('42'))
    t.equal(await storage!.loadSession({ sessionId: 'session', userId: '42' }), null)
  })

  withDatabase('a user without the isVerified flag is unverified, and can be verified', people, async (t, { db, storages: [storage] }) => {
    await db.collection('people').insertOne({ email })
    t.equal((await storage!.findUser(email))!.isVerified, false)
    t.equal((await storage!.verifyUser(email))!.isVerified, true)
    t.equal(await storage!.verifyUser(email), null)
  })

  withDatabase('a conflict in another unique index refuses the insert and does not change the other document', people, async (t, database) => {
    const { db, storages: [storage] } = database
    await db.collection('people').createIndex({ username: 1 }, { unique: true })
    const other = { email: 'anna@x.io', isVerified: false, username: 'taken' }
    await db.collection('people').insertOne({ ...other })
    const outcome = await storage!.insertUser({ email, fields: { username: 'taken' } })
    t.match(outcome, { refused: { code: 11000 } })
    t.ok('refused' in outcome && outcome.refused instanceof MongoServerError)
    t.match(await db.collection('people').find().toArray(), [other])
    t.equal(await storage!.verifyUser(email), null)
  })

  withDatabase('if a validator of the application rejects the document, the insert is refused', undefined, async (t, { db, storages: [storage] }) => {
    await db.collection('otp_users').drop()
    await db.createCollection('otp_users', { validator: { $jsonSchema: { required: ['username'] } } })
    t.match(await storage!.insertUser({ email, fields: {} }), { refused: { code: 121 } })
  })

  withDatabase('fields of the application cannot set the email or the isVerified flag', undefined, async (t, database) => {
    const user = await made(database, { email: 'anna@x.io', isVerified: true })
    t.match(user, { email, isVerified: false, row: { email, isVerified: false } })
  })
}
