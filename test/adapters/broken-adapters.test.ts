import { eq } from 'drizzle-orm'
import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { challenges } from '../../src/storage/drizzle/sqlite.ts'
import type { OtpAuthStorage } from '../../src/storage/contract.ts'
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

/** Reads the challenge, compares the code and counts afterwards. One call at a time works, parallel calls do not. */
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

/** Inserts if it saw no row. If another call inserted first, it rejects with the duplicate key error instead of trying again. */
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

/** Compares email hashes as a case-insensitive collation does. All stored ones are in lower case. */
const ignoresCaseOfEmailHashes: Break = (storage) => {
  const folded = <T extends { emailHash: string }>(query: T): T => ({ ...query, emailHash: query.emailHash.toLowerCase() })
  return {
    ...storage,
    renewChallenge: (renewal) => storage.renewChallenge(folded(renewal)),
    tryCode: (attempt) => storage.tryCode(folded(attempt)),
    consumeCode: (attempt) => storage.consumeCode(folded(attempt)),
    hasLiveChallenge: (query) => storage.hasLiveChallenge(folded(query))
  }
}

t.test('the suite passes an adapter that nothing was done to', async (t) => {
  t.same(await failingCases((storage) => storage), [])
})

t.test('the suite fails an adapter that compares, then counts, in its races alone', async (t) => {
  t.same(await failingCases(comparesThenCounts), [
    'only the allowed number of parallel wrong attempts is compared',
    'a correct attempt among parallel wrong ones allows no extra comparison',
    'only one of many parallel correct attempts is accepted, and no other is compared',
    'only one of many parallel attempts with the two codes of a challenge is accepted',
    'a renewal among parallel wrong attempts resets the attempts once',
    'only one of many parallel attempts with one code, bound or unbound, is accepted'
  ])
})

t.test('the suite fails an adapter whose upsert loses parallel calls to a duplicate key', async (t) => {
  t.same(await failingCases(upsertsWithoutRetry), [
    'parallel increments are counted up to the lower of the two limits, for new and existing counters',
    'parallel increments below the limits are all counted',
    'only one of many parallel increments within a cooldown is counted, for new and existing counters',
    'parallel decrements all take effect and stop at zero',
    'parallel failures are all counted and each returns a different count, for new and existing counters'
  ])
})

t.test('the suite fails an adapter that ignores the case of email hashes', async (t) => {
  t.same(await failingCases(ignoresCaseOfEmailHashes), [
    'IDs and email hashes are case-sensitive',
    'an attempt for another email hash or an unknown challenge is refused and not counted',
    'an unbound attempt that does not match changes nothing'
  ])
})

t.test('a database without adapters is refused, and closed', async (t) => {
  const runs: Array<() => Promise<void>> = []
  let closed = 0
  const open = async () => ({ storages: [], insertUserRow: async () => '', close: async () => { closed += 1 } })
  storageConformance({ test: (_name, run) => { runs.push(run) }, open })
  await t.rejects(runs[0]!(), { name: 'TypeError', message: /^open\(\) must resolve to at least one adapter/ })
  t.equal(closed, 1)
})

t.test('so few calls at once that no limit is passed are refused', async (t) => {
  const harness = { test: () => {}, open: async () => await openSqlite(2) }
  for (const parallel of [0, 11, NaN]) {
    t.throws(() => storageConformance({ ...harness, parallel }), { name: 'RangeError', message: /^parallel must be at least 12, .*\. Got / })
  }
  storageConformance({ ...harness, parallel: 12 })
})
