import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { mongodbStorage } from '../../src/storage/mongodb/adapter.ts'

const now = 1_790_000_000_123

t.test('if the server hangs, storage calls of every kind reject after the timeout', async (t) => {
  const sockets = new Set<Socket>()
  const hanging = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1')
  await once(hanging, 'listening')
  const client = new MongoClient(`mongodb://127.0.0.1:${(hanging.address() as AddressInfo).port}`)
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    hanging.close()
    await client.close()
  })
  const storage = mongodbStorage(client.db('otp_auth'), { timeout: 500 })
  const from = Date.now()
  const verbs: Promise<unknown>[] = [
    storage.tryCode({ id: 'id', emailHash: 'emailHash', macs: ['mac'], codeLength: 6, maxAttempts: 5, now }),
    storage.countFailure({ key: 'key', now, window: 1, lapse: 1 }),
    storage.loadSession({ sessionId: 'session', userId: 'user' }),
    storage.revokeSession({ id: 'session', now }),
    storage.insertUser({ email: 'mike@x.io', fields: {} }),
    storage.removeExpired({ kind: 'sessions', before: now, limit: 1 })
  ]
  for (const verb of verbs) await t.rejects(verb, { message: 'MongoDB did not respond within 500 ms' })
  t.ok(Date.now() - from < 3000)
})

t.test('if there is no server, storage calls reject with an error of the driver', async (t) => {
  const client = new MongoClient('mongodb://127.0.0.1:1', { serverSelectionTimeoutMS: 100 })
  t.teardown(() => client.close())
  const storage = mongodbStorage(client.db('otp_auth'))
  const refused = { name: /^MongoServerSelectionError|MongoTopologyClosedError$/ }
  await t.rejects(storage.revokeSession({ id: 'session', now }), refused)
  await t.rejects(storage.insertUser({ email: 'mike@x.io', fields: {} }), refused)
  await t.rejects(storage.ensureIndexes(), refused)
})

t.test('a timeout outside its range is refused', async (t) => {
  const client = new MongoClient('mongodb://127.0.0.1:1')
  for (const timeout of [0, 9, -1, NaN, 2 ** 31]) {
    t.throws(() => mongodbStorage(client.db('otp_auth'), { timeout }), { name: 'RangeError', message: /^timeout must be a number of milliseconds from 10 to 2147483647\. Got / })
  }
})
