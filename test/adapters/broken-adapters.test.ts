import { eq } from 'drizzle-orm'
import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { challenges } from '../../src/storage/drizzle/sqlite/adapter.ts'
import type { OtpAuthStorage } from '../../src/storage/contract.ts'
import { openSqlite, type connect } from '../helpers/databases/sqlite.ts'

type Break = (storage: OtpAuthStorage, db: ReturnType<typeof connect>) => OtpAuthStorage

/** Runs the suite on adapters with one defect. @returns the names of the cases that fail */
async function failingCases (broken: Break): Promise<string[]> {
  const cases: { name: string, run: () => Promise<void> }[] = []
  storageConformance({
    parallel: 20,
    test: (name, run) => { cases.push({ name, run }) },
    open: async () => {
      const database = await openSqlite(2)
      return { ...database, storages: database.storages.map((storage, position) => broken(storage, database.databases[position]!)) }
    }
  })
  const failing: string[] = []
  for (const { name, run } of cases) await run().catch(() => failing.push(name))
  return failing
}

/** Reads the challenge, compares, and counts afterwards. This is correct for single calls and wrong for parallel calls. */
const comparesThenCounts: Break = (storage, db) => ({
  ...storage,
  async tryCode ({ id, emailHash, macs, codeLength, maxAttempts, now }) {
    const challenge = await storage.findChallenge(id)
    if (challenge === null || challenge.emailHash !== emailHash || challenge.consumedAt !== null) return null
    if (challenge.expiresAt <= now || challenge.attempts >= maxAttempts) return null
    const previousLives = (challenge.previousExpiresAt ?? 0) > now
    if (challenge.codeLength !== codeLength && !(previousLives && challenge.previousLength === codeLength)) return null

    const accepted = macs.includes(challenge.codeMac) || (previousLives && macs.includes(challenge.previousMac!))
    const attempts = challenge.attempts + 1
    db.update(challenges).set({ attempts, consumedAt: accepted ? now : null }).where(eq(challenges.id, id)).run()
    return { accepted, attempts, deviceKey: challenge.deviceKey }
  }
})

const inserting = new Set<string>()

/** Inserts if it saw no row. If a parallel call inserts first, the caller gets the duplicate key error. */
const upsertsWithoutRetry: Break = (storage) => {
  async function upsert<T> (key: string, run: () => Promise<T>): Promise<T> {
    if (await storage.readCounter(key) !== null) return run()
    if (inserting.has(key)) throw new Error('E11000 duplicate key error')
    inserting.add(key)
    return run().finally(() => inserting.delete(key))
  }
  return {
    ...storage,
    incrementCounter: (increment) => upsert(increment.key, () => storage.incrementCounter(increment)),
    countFailure: (failure) => upsert(failure.key, () => storage.countFailure(failure))
  }
}

t.test('the suite passes an unmodified adapter', async (t) => {
  t.same(await failingCases((storage) => storage), [])
})

t.test('if an adapter compares an attempt before it counts it, only the race tests of the suite fail', async (t) => {
  t.same(await failingCases(comparesThenCounts), [
    'only the allowed number of parallel wrong attempts is compared',
    'a correct attempt among parallel wrong ones allows no extra comparison',
    'only one of many parallel correct attempts is accepted, and no other is compared',
    'only one of many parallel attempts with the two codes of a challenge is accepted',
    'a renewal among parallel wrong attempts resets the attempts once',
    'only one of many parallel attempts with one code, bound or unbound, is accepted'
  ])
})

t.test('the suite fails an adapter whose upsert rejects parallel calls with a duplicate key', async (t) => {
  t.same(await failingCases(upsertsWithoutRetry), [
    'parallel increments are counted up to the lower of the two limits, for new and existing counters',
    'parallel increments below the limits are all counted',
    'only one of many parallel increments within a cooldown is counted, for new and existing counters',
    'parallel decrements all take effect and stop at zero',
    'parallel failures are all counted and each returns a different count, for new and existing counters'
  ])
})

t.test('the suite refuses to run with fewer than 12 parallel calls, which would exceed no limit', async (t) => {
  const harness = { test: () => {}, open: async () => await openSqlite(2) }
  for (const parallel of [0, 11, NaN]) {
    t.throws(() => storageConformance({ ...harness, parallel }), { name: 'RangeError', message: /^parallel must be at least 12, .*\. Got / })
  }
  storageConformance({ ...harness, parallel: 12 })
})

t.test('the suite fails if open() returns no adapter, and closes the database', async (t) => {
  const cases: Array<() => Promise<unknown>> = []
  let closed = 0
  storageConformance({
    test: (_name, run) => { cases.push(run) },
    open: async () => {
      const database = await openSqlite(1)
      return {
        ...database,
        storages: [],
        close: async () => {
          closed++
          await database.close()
        }
      }
    }
  })
  await t.rejects(cases[0]!(), { name: 'TypeError', message: 'open() must resolve to at least one adapter in `storages`. Got none' })
  t.equal(closed, 1)
})
