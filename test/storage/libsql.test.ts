import t from 'tap'
import { storageConformance } from '../../src/storage/conformance.ts'
import { users } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { openLibsql } from './libsql-database.ts'

const failure = { key: 'failures', now: 1_790_000_000_123, window: 1000, lapse: 1000 }

t.test('libsql, several clients of one file', async (t) => {
  storageConformance({ test: (name, run) => { t.test(name, run) }, open: openLibsql })
})

t.test('libsql that hands out BigInt', async (t) => {
  storageConformance({ parallel: 20, test: (name, run) => { t.test(name, run) }, open: () => openLibsql({ intMode: 'bigint' }, 2) })
})

t.test('after a write that found the file locked, writes are on disk and reads are fresh', async (t) => {
  const { storages: [storage, other], databases: [, host], close } = await openLibsql({ timeout: 50 }, 2)
  t.teardown(close)
  await host!.transaction(async (transaction) => {
    await transaction.insert(users).values({ email: 'mike@x.io' })
    await t.rejects(storage!.countFailure(failure), { code: 'SQLITE_BUSY' })
  })
  t.same(await storage!.countFailure(failure), { inWindow: 1, inARow: 1 })
  t.same(await other!.countFailure(failure), { inWindow: 2, inARow: 2 }, 'nothing is lost')
  t.equal((await storage!.readBudget('failures'))!.longCount, 2, 'nothing is stale')
})

t.test("a connection on which the host's statement found the file locked loses no write without saying so", async (t) => {
  const { storages: [storage, other], databases: [shared, host], close } = await openLibsql({ timeout: 50 }, 2)
  t.teardown(close)
  await host!.transaction(async (transaction) => {
    await transaction.insert(users).values({ email: 'mike@x.io' })
    await t.rejects(shared!.insert(users).values({ email: 'anna@x.io' }))
  })
  let counted = 0
  for (let call = 0; call < 3; call++) await storage!.countFailure(failure).then(() => { counted++ }, () => {})
  t.ok(counted >= 2, 'it recovers')
  t.equal((await other!.readBudget('failures'))!.longCount, counted)
})
