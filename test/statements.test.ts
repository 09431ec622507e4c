import t from 'tap'
import { isLive } from '../src/flows/sessions.ts'
import { drizzleStorage } from '../src/storage/drizzle/sqlite.ts'
import { withoutValues } from '../src/storage/fail-closed.ts'
import { buildApp, openDatabase, withVerbs } from './helpers/app.ts'
import { countingStorage } from './helpers/counting-storage.ts'

const ANNA = 'anna@example.com'

t.test('what each request asks of storage, in this order, and no more', async (t) => {
  const { storage, calls, client } = countingStorage()
  t.teardown(() => client.close())
  const { browser, codeFor, clock } = await buildApp(t, { storage })
  const anna = browser()
  async function asked (answer: Promise<{ status: number }>): Promise<string[]> {
    calls.length = 0
    t.equal((await answer).status, 200)
    // Reads a row that is at hand.
    return calls.filter((verb) => verb !== 'userId')
  }
  t.same(await asked(anna.requestOtp(ANNA)), ['readBudget', 'readBudget', 'takeBudget', 'takeBudget', 'findUser', 'insertChallenge'])
  t.same(await asked(anna.verifyOtp(ANNA, codeFor(ANNA))), [
    'tryCode', 'clearFailuresInARow', 'findUser', 'insertUser', 'revokeUserSessions', 'verifyUser', 'insertSession'
  ], 'a first login')
  clock.advance(10)
  t.same(await asked(anna.refresh()), ['loadSession', 'rotateSession'])
  clock.advance(5)
  t.same(await asked(anna.refresh()), ['loadSession'], 'within the grace')
  clock.advance(60)
  t.same(await asked(anna.requestOtp(ANNA)), ['readBudget', 'takeBudget', 'findUser', 'insertChallenge'], 'from a device')
  t.same(await asked(anna.verifyOtp(ANNA, codeFor(ANNA))), [
    'tryCode', 'clearFailuresInARow', 'clearFailuresInARow', 'findUser', 'insertSession', 'revokeSession'
  ], 'its session of before ends')
  t.same(await asked(anna.logout()), ['revokeSession'])
})

t.test('what a mail that failed asks of storage: a refused one comes back, of one that may still come the cool-down alone', async (t) => {
  for (const [outcome, rest] of [['rejected', ['withdrawCode', 'takeBudget', 'returnBudget', 'returnBudget']], ['timeout', ['returnBudget']]] as const) {
    const { storage, calls, client } = countingStorage()
    t.teardown(() => client.close())
    const sendOtp = () => outcome === 'timeout' ? new Promise<never>(() => {}) : Promise.reject(new Error('mailer is down'))
    const { browser } = await buildApp(t, { storage, sendOtp, deliveryTimeout: 0.01 })
    t.equal((await browser().requestOtp(ANNA)).status, 503)
    t.same(calls.slice(calls.indexOf('insertChallenge') + 1), rest, outcome)
  }
})

t.test('storage is told to rotate where the grace of the last rotation is over', async (t) => {
  const { client, db } = openDatabase()
  t.teardown(() => client.close())
  const real = drizzleStorage(db)
  const told: unknown[] = []
  const storage = withVerbs(real, {
    rotateSession: async (rotation) => {
      told.push(rotation)
      return await real.rotateSession(rotation)
    }
  })
  const { browser, clock, codeFor } = await buildApp(t, { storage, refreshGracePeriod: 20 })
  const anna = browser()
  await anna.login(ANNA, codeFor)
  t.equal((await anna.refresh()).status, 200)
  t.match(told, [{ now: clock(), rotatedBefore: clock() - 20_000 }])
})

t.test('a session lives until it is revoked, or idle too long, or too old: whichever comes first, to the millisecond', async (t) => {
  const session = { id: 's', userId: 'u', seq: 1, rotatedAt: null, createdAt: 0, revokedAt: null, idleExpiresAt: 10, expiresAt: 20 }
  t.same([9, 10, 11].map((now) => isLive(session, now)), [true, false, false])
  t.same([9, 10, 11].map((now) => isLive({ ...session, idleExpiresAt: 20, expiresAt: 10 }, now)), [true, false, false])
  t.equal(isLive({ ...session, revokedAt: 5 }, 4), false)
})

t.test('of a driver’s error the innermost message and code go to the log, and nothing above them', async (t) => {
  const innermost = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
  t.equal(withoutValues(new Error('Failed query: … params: anna@example.com', { cause: innermost })).message, 'disk I/O error (SQLITE_IOERR)')
  t.equal(withoutValues(new Error('gone')).message, 'gone')
  t.equal(withoutValues('gone').message, 'gone')
})
