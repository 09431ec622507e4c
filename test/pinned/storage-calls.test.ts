import t from 'tap'
import { buildApp, openStorage } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const ANNA = 'anna@example.com'

t.test('what each request asks of storage, in this order, and no more', async (t) => {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { browser, codeFor, clock } = await buildApp(t, { storage })
  const anna = browser()
  async function asked (answer: Promise<{ status: number }>): Promise<string[]> {
    calls.length = 0
    t.equal((await answer).status, 200)
    // Reads a row that is at hand.
    return calls.filter((verb) => verb !== 'userId')
  }
  t.same(await asked(anna.requestOtp(ANNA)), ['readCounter', 'readCounter', 'incrementCounter', 'incrementCounter', 'findUser', 'insertChallenge'])
  t.same(await asked(anna.verifyOtp(ANNA, codeFor(ANNA))), [
    'tryCode', 'resetConsecutiveFailures', 'findUser', 'insertUser', 'revokeUserSessions', 'verifyUser', 'insertSession'
  ], 'a first login')
  clock.advance(10)
  t.same(await asked(anna.refresh()), ['loadSession', 'rotateSession'])
  clock.advance(5)
  t.same(await asked(anna.refresh()), ['loadSession'], 'within the grace')
  clock.advance(60)
  t.same(await asked(anna.requestOtp(ANNA)), ['readCounter', 'incrementCounter', 'findUser', 'insertChallenge'], 'from a device')
  t.same(await asked(anna.verifyOtp(ANNA, codeFor(ANNA))), [
    'tryCode', 'resetConsecutiveFailures', 'resetConsecutiveFailures', 'findUser', 'insertSession', 'revokeSession'
  ], 'its session of before ends')
  t.same(await asked(anna.logout()), ['revokeSession'])
})

t.test('what a mail that failed asks of storage: a refused one comes back, of one that may still come the cool-down alone', async (t) => {
  for (const [outcome, rest] of [['rejected', ['withdrawCode', 'incrementCounter', 'decrementCounter', 'decrementCounter']], ['timeout', ['decrementCounter']]] as const) {
    const { storage: real } = openStorage(t)
    const { storage, calls } = spyStorage(real)
    const sendOtp = () => outcome === 'timeout' ? new Promise<never>(() => {}) : Promise.reject(new Error('mailer is down'))
    const { browser } = await buildApp(t, { storage, sendOtp, deliveryTimeout: 0.01 })
    t.equal((await browser().requestOtp(ANNA)).status, 503)
    t.same(calls.slice(calls.indexOf('insertChallenge') + 1), rest, outcome)
  }
})
