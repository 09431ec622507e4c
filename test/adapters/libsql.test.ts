import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { users } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { openLibsql } from '../helpers/databases/libsql.ts'

const failure = { key: 'failures', now: 1_790_000_000_123, window: 1000, lapse: 1000 }

t.test('libsql keeps the storage contract with several clients on one file', async (t) => {
  storageConformance({ test: (name, run) => { t.test(name, run) }, open: openLibsql })
})

t.test('libsql that returns BigInt keeps the storage contract', async (t) => {
  storageConformance({ parallel: 20, test: (name, run) => { t.test(name, run) }, open: () => openLibsql({ intMode: 'bigint' }, 2) })
})

t.test('after a write that fails because the file is locked, later writes reach the disk and reads are current', async (t) => {
  const { storages: [storage, other], databases: [, otherClient], close } = await openLibsql({ timeout: 50 }, 2)
  t.teardown(close)
  await otherClient!.transaction(async (transaction) => {
    await transaction.insert(users).values({ email: 'mike@x.io' })
    await t.rejects(storage!.countFailure(failure), { code: 'SQLITE_BUSY' })
  })
  t.same(await storage!.countFailure(failure), { inWindow: 1, consecutive: 1 })
  t.same(await other!.countFailure(failure), { inWindow: 2, consecutive: 2 }, 'no count is lost')
  t.equal((await storage!.readCounter('failures'))!.longCount, 2, 'the read is current')
})

t.test('after a statement of the application fails because the file is locked, no later write is lost without an error', async (t) => {
  const { storages: [storage, other], databases: [shared, otherClient], close } = await openLibsql({ timeout: 50 }, 2)
  t.teardown(close)
  await otherClient!.transaction(async (transaction) => {
    await transaction.insert(users).values({ email: 'mike@x.io' })
    await t.rejects(shared!.insert(users).values({ email: 'anna@x.io' }))
  })
  let counted = 0
  for (let call = 0; call < 3; call++) await storage!.countFailure(failure).then(() => { counted++ }, () => {})
  t.ok(counted >= 2, 'it recovers')
  t.equal((await other!.readCounter('failures'))!.longCount, counted)
})
