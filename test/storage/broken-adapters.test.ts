import { eq } from 'drizzle-orm'
import t from 'tap'
import { storageConformance } from '../../src/storage/conformance.ts'
import { challenges } from '../../src/storage/drizzle/sqlite/adapter.ts'
import type { OtpAuthStorage } from '../../src/storage/storage.ts'
import { openSqlite, type connect } from './sqlite-database.ts'

type Break = (storage: OtpAuthStorage, db: ReturnType<typeof connect>) => OtpAuthStorage

/** Runs the suite on adapters broken in one way. @returns the names of the cases that fail */
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

/** Reads the challenge, compares, and only then counts: what is right alone is wrong in company. */
const comparesThenCounts: Break = (storage, db) => ({
  ...storage,
  async tryCode ({ id, subject, macs, codeLength, maxAttempts, now }) {
    const challenge = await storage.findChallenge(id)
    if (challenge === null || challenge.subject !== subject || challenge.consumedAt !== null) return null
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

/** Inserts where it saw no row, and hands the duplicate key of a call that was faster to its caller. */
const upsertsWithoutRetry: Break = (storage) => {
  async function upsert<T> (key: string, run: () => Promise<T>): Promise<T> {
    if (await storage.readBudget(key) !== null) return run()
    if (inserting.has(key)) throw new Error('E11000 duplicate key error')
    inserting.add(key)
    return run().finally(() => inserting.delete(key))
  }
  return {
    ...storage,
    takeBudget: (take) => upsert(take.key, () => storage.takeBudget(take)),
    countFailure: (failure) => upsert(failure.key, () => storage.countFailure(failure))
  }
}

t.test('the suite passes an adapter that nothing was done to', async (t) => {
  t.same(await failingCases((storage) => storage), [])
})

t.test('the suite fails an adapter that compares, then counts, in its races alone', async (t) => {
  t.same(await failingCases(comparesThenCounts), [
    'of parallel wrong guesses exactly the allowed number is compared',
    'a right guess among parallel wrong ones buys no further comparison',
    'of parallel right guesses one is accepted and none besides it compared',
    'of parallel guesses at both codes of a challenge one is accepted',
    'a renewal among parallel wrong guesses grants its tries once',
    'of parallel guesses with one code, bound and unbound, one consumes it'
  ])
})

t.test('the suite fails an adapter whose upsert loses parallel calls to a duplicate key', async (t) => {
  t.same(await failingCases(upsertsWithoutRetry), [
    'of parallel takings exactly the limit of either window is admitted, a fresh key or not',
    'parallel takings that all find room are all admitted',
    'of parallel takings within one cool-down one is admitted, a fresh key or not',
    'parallel refunds lose none and stop at zero',
    'parallel failures lose none and each sees a count of its own, a fresh key or not'
  ])
})

t.test('so few calls at once that no limit is passed are refused', async (t) => {
  const harness = { test: () => {}, open: async () => await openSqlite(2) }
  for (const parallel of [0, 11, NaN]) {
    t.throws(() => storageConformance({ ...harness, parallel }), { name: 'RangeError', message: /^parallel must be at least 12, .*; got / })
  }
  storageConformance({ ...harness, parallel: 12 })
})
