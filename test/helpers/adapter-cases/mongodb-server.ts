import { randomUUID } from 'node:crypto'
import { MongoClient, type CommandStartedEvent, type Db } from 'mongodb'
import type { Test } from 'tap'
import { mongodbStorage, type UserDocument } from '../../../src/storage/mongodb/adapter.ts'
import type { MongodbServer } from '../databases/mongodb.ts'

const now = 1_790_000_000_123
const hour = 3_600_000
const email = 'mike@x.io'
const increment = { key: 'counter', now, cooldown: 60_000, short: { length: hour, limit: 5 }, long: { length: 24 * hour, limit: 9 } }
const challenge = { id: 'challenge', emailHash: 'emailHash', codeMac: 'mac', codeLength: 6, expiresAt: now + hour, deviceKey: null }
const session = {
  id: 'session', userId: 'user', seq: 0, rotatedAt: null, createdAt: now, idleExpiresAt: now + hour, expiresAt: now + hour, revokedAt: null
}

/** Cases for MongoDB only: indexes, types, options of the client. */
export function serverCases (t: Test, server: MongodbServer, url: string): void {
  const withDatabase = (name: string, client: MongoClient, run: (t: Test, db: Db) => Promise<void>) =>
    t.test(name, async (t) => {
      const db = client.db(`otp_auth_${randomUUID()}`)
      t.teardown(() => db.dropDatabase())
      await run(t, db)
    })
  const client = server.clients[0]!

  withDatabase('many processes can call ensureIndexes at the same time, and again later', client, async (t, db) => {
    const storages = server.clients.map((client) => mongodbStorage(client.db(db.databaseName)))
    await Promise.all(Array.from({ length: 10 }, (_, position) => storages[position % storages.length]!.ensureIndexes()))
    await storages[0]!.ensureIndexes()

    const indexes = async (name: string) => Object.fromEntries((await db.collection(name).indexes())
      .map(({ key, unique, expireAfterSeconds }) => [Object.keys(key).join(), expireAfterSeconds ?? unique ?? 'plain']))
    t.strictSame(await indexes('otp_users'), { _id: 'plain', email: true })
    t.strictSame(await indexes('otp_challenges'), { _id: 'plain', emailHash: 'plain', expiresAt: 3600 })
    t.strictSame(await indexes('otp_counters'), { _id: 'plain', expiresAt: 3600 })
    t.strictSame(await indexes('otp_sessions'), { _id: 'plain', userId: 'plain', idleExpiresAt: 3600 })
  })

  withDatabase('if the application has a unique index on the email, ensureIndexes creates no other one', client, async (t, db) => {
    const users = db.collection<{ email: string }>('people')
    await users.createIndex({ email: 1 }, { unique: true, name: 'one_account_each' })
    await mongodbStorage(db, { users }).ensureIndexes()
    t.same((await users.indexes()).map(({ name }) => name), ['_id_', 'one_account_each'])
  })

  withDatabase('if the unique index of the application leaves out some emails, ensureIndexes creates its own', client, async (t, db) => {
    const users = db.collection<{ email: string }>('people')
    await users.createIndex({ email: 1 }, { unique: true, name: 'some', partialFilterExpression: { isVerified: true } })
    await mongodbStorage(db, { users }).ensureIndexes()
    await t.rejects(users.insertMany([{ email }, { email }]), { code: 11000 })
  })

  withDatabase('times are stored as dates, and no key is stored as an ObjectId', client, async (t, db) => {
    const storage = mongodbStorage(db)
    await storage.insertChallenge(challenge)
    await storage.renewChallenge({ ...challenge, codeMac: 'mac-2', now })
    await storage.tryCode({ id: 'challenge', emailHash: 'emailHash', macs: ['mac-2'], codeLength: 6, maxAttempts: 5, now })
    await storage.incrementCounter(increment)
    await storage.insertSession(session)
    await storage.rotateSession({ id: 'session', seq: 0, now, rotatedBefore: now, idleExpiresAt: now + 1 })
    await storage.revokeSession({ id: 'session', now })
    const stored = async (name: string) => (await db.collection(name).findOne())!
    t.match(await stored('otp_challenges'), {
      _id: 'challenge', expiresAt: new Date(now + hour), previousExpiresAt: new Date(now + hour), consumedAt: new Date(now)
    })
    t.match(await stored('otp_counters'), {
      _id: 'counter', lastAt: new Date(now), shortFrom: new Date(now), longFrom: new Date(now), expiresAt: new Date(now + 24 * hour)
    })
    t.match(await stored('otp_sessions'), {
      _id: 'session',
      rotatedAt: new Date(now),
      createdAt: new Date(now),
      idleExpiresAt: new Date(now + 1),
      expiresAt: new Date(now + hour),
      revokedAt: new Date(now)
    })
  })

  withDatabase('values that look like operators or field names are treated as values', client, async (t, db) => {
    const storage = mongodbStorage(db)
    const odd = { ...challenge, emailHash: '$codeMac', codeMac: '$emailHash', deviceKey: '$_id' }
    await storage.insertChallenge(odd)
    t.equal(await storage.renewChallenge({ ...odd, now }), true)
    t.match(await storage.findChallenge('challenge'), { ...odd, previousMac: '$emailHash' })
    const attempt = { id: 'challenge', emailHash: '$codeMac', codeLength: 6, maxAttempts: 5, now }
    t.match(await storage.tryCode({ ...attempt, macs: ['$codeMac', '$previousMac'] }), { accepted: false })
    t.match(await storage.tryCode({ ...attempt, macs: ['$emailHash'] }), { accepted: true })
  })

  withDatabase('storages with different prefixes are separate', client, async (t, db) => {
    await mongodbStorage(db, { prefix: 'one_' }).insertSession(session)
    t.equal((await mongodbStorage(db, { prefix: 'one_' }).listSessions({ userId: 'user', now })).length, 1)
    t.equal((await mongodbStorage(db, { prefix: 'two_' }).listSessions({ userId: 'user', now })).length, 0)
  })

  withDatabase('an insert that fails for another reason than a duplicate key rejects', client, async (t, db) => {
    await db.createCollection('otp_counters', { validator: { $jsonSchema: { required: ['a field that we do not have'] } } })
    await t.rejects(mongodbStorage(db).incrementCounter(increment), { code: 121 })
  })

  for (const bson of [{ useBigInt64: true }, { promoteLongs: false, promoteValues: false }]) {
    t.test(`numbers are returned as numbers with the client options ${JSON.stringify(bson)}`, async (t) => {
      const odd = new MongoClient(url, bson)
      const db = odd.db(`otp_auth_${randomUUID()}`)
      t.teardown(async () => { await db.dropDatabase(); await odd.close() })
      const storage = mongodbStorage(db)
      await storage.incrementCounter(increment)
      t.strictSame(await storage.countFailure({ key: 'counter', now, window: hour, lapse: hour }), { inWindow: 2, consecutive: 1 })
      t.match(await storage.readCounter('counter'), { shortCount: 1, longCount: 2, lastAt: now })
      await storage.insertSession(session)
      t.strictSame(await storage.listSessions({ userId: 'user', now }), [session])
    })
  }

  for (const bson of [{ raw: true }, { promoteValues: false }]) {
    t.test(`users are read completely with the client options ${JSON.stringify(bson)}`, async (t) => {
      const odd = new MongoClient(url, bson)
      const db = odd.db(`otp_auth_${randomUUID()}`)
      t.teardown(async () => { await client.db(db.databaseName).dropDatabase(); await odd.close() })
      await mongodbStorage(db, { users: db.collection<UserDocument>('people') }).ensureIndexes()
      const storage = mongodbStorage(db)
      await storage.ensureIndexes()
      const made = await storage.insertUser({ email, fields: { company: 'X' } })
      const { id } = (made as { user: { id: string } }).user
      t.match(await storage.verifyUser(email), { id, email, isVerified: true, row: { company: 'X' } })
      t.match(await storage.insertUser({ email, fields: {} }), { refused: Error })
      await storage.insertSession({ ...session, userId: id })
      t.match(await storage.loadSession({ sessionId: 'session', userId: id }), { session: { userId: id }, user: { id, email } })
    })
  }

  t.test('every command reads from the primary, waits for a majority, has a time limit and compares emails exactly', async (t) => {
    const careless = new MongoClient(url, { readPreference: 'secondaryPreferred', w: 1, monitorCommands: true })
    const db = careless.db(`otp_auth_${randomUUID()}`)
    t.teardown(async () => { await db.dropDatabase(); await careless.close() })
    const commands: CommandStartedEvent[] = []
    careless.on('commandStarted', (event) => commands.push(event))
    const storage = mongodbStorage(db)

    await storage.insertChallenge(challenge)
    await storage.renewChallenge({ ...challenge, now })
    await storage.withdrawCode({ id: 'challenge', mac: 'none', now })
    await storage.tryCode({ id: 'challenge', emailHash: 'emailHash', macs: ['mac'], codeLength: 6, maxAttempts: 5, now })
    await storage.consumeCode({ emailHash: 'emailHash', macs: ['mac'], maxAttempts: 5, now })
    await storage.findChallenge('challenge')
    await storage.hasLiveChallenge({ emailHash: 'emailHash', codeLength: 6, maxAttempts: 5, now })
    await storage.incrementCounter(increment)
    await storage.decrementCounter({ key: 'counter', takenAt: now, cooldown: true, counts: true })
    await storage.countFailure({ key: 'counter', now, window: hour, lapse: hour })
    await storage.resetConsecutiveFailures('counter')
    await storage.readCounter('counter')
    await storage.insertUser({ email, fields: {} })
    await storage.findUser(email)
    await storage.verifyUser(email)
    await storage.hasMixedCaseEmails(10)
    await storage.insertSession(session)
    await storage.loadSession({ sessionId: 'session', userId: 'user' })
    await storage.rotateSession({ id: 'session', seq: 0, now, rotatedBefore: now, idleExpiresAt: now })
    await storage.revokeSession({ id: 'session', now })
    await storage.revokeUserSessions({ userId: 'user', startedBefore: now, now })
    await storage.listSessions({ userId: 'user', now })
    for (const kind of ['challenges', 'counters', 'sessions'] as const) await storage.removeExpired({ kind, before: now, limit: 10 })

    const collectionOf = ({ command, commandName }: CommandStartedEvent) => command[commandName]
    t.same(new Set(commands.map(collectionOf)), new Set(['otp_challenges', 'otp_counters', 'otp_users', 'otp_sessions']))
    for (const event of commands) {
      const { command, commandName } = event
      const what = `${commandName} ${collectionOf(event)}`
      t.match(command, { maxTimeMS: 4000 }, what)
      if (['find', 'aggregate'].includes(commandName)) t.equal(command['$readPreference']?.mode ?? 'primary', 'primary', what)
      else t.strictSame(command['writeConcern'], { w: 'majority' }, what)
      if ((command['filter'] ?? command['query'])?.email !== undefined) t.strictSame(command['collation'], { locale: 'simple' }, what)
    }
  })
}
