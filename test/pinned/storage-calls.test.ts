import t from 'tap'
import { buildApp, openStorage } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const ANNA = 'anna@example.com'

t.test('each request makes exactly these storage calls, in this order', async (t) => {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { browser, codeFor, clock } = await buildApp(t, { storage })
  const anna = browser()
  async function callsOf (response: Promise<{ status: number }>): Promise<string[]> {
    calls.length = 0
    t.equal((await response).status, 200)
    // This verb only reads a row that is already loaded.
    return calls.filter((verb) => verb !== 'userId')
  }
  t.same(await callsOf(anna.requestOtp(ANNA)), ['readCounter', 'readCounter', 'incrementCounter', 'incrementCounter', 'findUser', 'insertChallenge'])
  t.same(await callsOf(anna.verifyOtp(ANNA, codeFor(ANNA))), [
    'tryCode', 'resetConsecutiveFailures', 'findUser', 'insertUser', 'revokeUserSessions', 'verifyUser', 'insertSession'
  ], 'a first login')
  clock.advance(10)
  t.same(await callsOf(anna.refresh()), ['loadSession', 'rotateSession'])
  clock.advance(5)
  t.same(await callsOf(anna.refresh()), ['loadSession'], 'within the grace period')
  clock.advance(60)
  t.same(await callsOf(anna.requestOtp(ANNA)), ['readCounter', 'incrementCounter', 'findUser', 'insertChallenge'], 'from a remembered browser')
  t.same(await callsOf(anna.verifyOtp(ANNA, codeFor(ANNA))), [
    'tryCode', 'resetConsecutiveFailures', 'resetConsecutiveFailures', 'findUser', 'insertSession', 'revokeSession'
  ], 'the previous session of the browser ends')
  t.same(await callsOf(anna.logout()), ['revokeSession'])
})

t.test('a rejected email withdraws its code and releases its counts, and an email that times out releases only its cooldown', async (t) => {
  for (const [outcome, rest] of [['rejected', ['withdrawCode', 'incrementCounter', 'decrementCounter', 'decrementCounter']], ['timeout', ['decrementCounter']]] as const) {
    const { storage: real } = openStorage(t)
    const { storage, calls } = spyStorage(real)
    const sendOtp = () => outcome === 'timeout' ? new Promise<never>(() => {}) : Promise.reject(new Error('email provider is down'))
    const { browser } = await buildApp(t, { storage, sendOtp, deliveryTimeout: 0.01 })
    t.equal((await browser().requestOtp(ANNA)).status, 503)
    t.same(calls.slice(calls.indexOf('insertChallenge') + 1), rest, outcome)
  }
})
