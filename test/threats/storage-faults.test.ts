import t from 'tap'
import { loggableError } from '../../src/core/error-causes.ts'
import { STORAGE_VERBS } from '../../src/storage/verbs.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { buildApp, openDatabase, wrongCode } from '../helpers/app.ts'
import { costsBetween, holdings, setup, steps, type Context, type Cost, type Step, type Verb, type When } from '../helpers/faults.ts'
import { logged } from '../helpers/log.ts'

/**
 * Everything that a failure of each storage call can cost, over all steps that use it, sorted. Earlier writes stay, so a
 * failure late in a login can cost more than an early one.
 */
const worst: { [verb in Verb]?: Record<When, Cost[]> } = {
  readCounter: { before: [], after: [] },
  incrementCounter: { before: [], after: ['a count'] },
  insertChallenge: { before: ['a count'], after: ['a count'] },
  renewChallenge: { before: ['a count'], after: ['a count'] },
  withdrawCode: { before: ['a count'], after: ['a count'] },
  decrementCounter: { before: ['a count'], after: ['a count'] },
  tryCode: { before: [], after: ['an attempt', 'the code'] },
  findChallenge: { before: [], after: [] },
  hasLiveChallenge: { before: [], after: [] },
  consumeCode: { before: ['a count'], after: ['a count', 'the code'] },
  countFailure: { before: ['an attempt'], after: ['a count', 'an attempt'] },
  resetConsecutiveFailures: { before: ['a count', 'the code'], after: ['a count', 'the code'] },
  findUser: { before: ['a count', 'the code'], after: ['a count', 'the code'] },
  insertUser: { before: ['the code'], after: ['an unverified user', 'the code'] },
  revokeUserSessions: { before: ['an unverified user', 'the code'], after: ['an unverified user', 'the code'] },
  verifyUser: { before: ['an unverified user', 'the code'], after: ['a verified user', 'the code'] },
  insertSession: {
    before: ['a count', 'a verified user', 'the code'],
    after: ['a count', 'a verified user', 'an undelivered session', 'the code']
  },
  loadSession: { before: [], after: [] },
  // If the rotation took effect, the grace period makes up for it. See the test of the refresh below.
  rotateSession: { before: [], after: [] },
  // At a login the new session exists already, and the earlier session of the browser can be revoked.
  revokeSession: { before: ['an undelivered session', 'the code'], after: ['an undelivered session', 'the code', 'the session'] }
}

t.test('when a storage call fails before or after its effect, the response is 503, nobody is let in and the cookie is kept; login works again once storage is back', async (t) => {
  const base = await setup(t)
  const { state, provider, clock, codeFor, emails } = base

  /** Logs a new user in and prepares the step. Also returns the codes that were sent for the step. */
  async function arrive ({ prepare }: Step): Promise<Context & { codes: string[] }> {
    const email = `anna${clock()}@example.com`
    const anna = base.browser()
    const context = { ...base, anna, email, token: await anna.login(email, codeFor) }
    const sentBefore = emails.length
    clock.advance(60)
    await prepare?.(context)
    return Object.assign(context, { codes: emails.slice(sentBefore).map(({ code }) => code) })
  }

  async function verbsOf (step: Step): Promise<Verb[]> {
    const context = await arrive(step)
    state.called.clear()
    await step.act(context)
    provider.isUp = true
    return [...state.called] as Verb[]
  }

  async function costsOf (step: Step, verb: Verb, when: When, label: string): Promise<Cost[]> {
    const context = await arrive(step)
    const { anna, email, codes } = context
    const cookies = new Map(anna.cookies)
    const held = await holdings(context)
    const sentBefore = emails.length
    Object.assign(state, { broken: verb, when })
    const answer = await step.act(context)
    state.broken = null
    provider.isUp = true
    t.match(answer, { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' }, setCookies: { length: 0 } }, label)
    t.same(anna.cookies, cookies, label)
    t.notOk('access_token' in answer.body || 'email' in answer.body, label)

    const costs = costsBetween(held, await holdings(context))
    for (const code of [...codes, ...emails.slice(sentBefore).map(({ code }) => code)]) {
      const twice = [await anna.verifyOtp(email, code), await anna.verifyOtp(email, code)]
      const opened = twice.filter(({ status }) => status === 200).length
      t.ok(opened <= 1, `${label}: no code works twice`)
      if (opened === 0 && codes.includes(code)) costs.push('the code')
    }
    clock.advance(60)
    t.type(await anna.login(email, codeFor), 'string', `${label}: a new code works`)
    return costs
  }

  /** The costs over all steps, by the storage call and when it failed. */
  const lost = new Map<string, Set<Cost>>()
  for (const [name, step] of Object.entries(steps)) {
    for (const verb of await verbsOf(step)) {
      for (const when of ['before', 'after'] as const) {
        const costs = await costsOf(step, verb, when, `${name}, broken ${when} ${verb}`)
        lost.set(`${verb} ${when}`, new Set([...lost.get(`${verb} ${when}`) ?? [], ...costs]))
      }
    }
  }
  t.same(Object.fromEntries([...lost].map(([fault, costs]) => [fault, [...costs].sort()])), Object.fromEntries(
    Object.entries(worst).flatMap(([verb, { before, after }]) => [[`${verb} before`, before], [`${verb} after`, after]])
  ), 'the costs are exactly the expected ones')
  const elsewhere = ['userId', 'listSessions', 'removeExpired', 'hasMixedCaseEmails']
  t.same(STORAGE_VERBS.filter((verb) => !(verb in worst)), elsewhere, 'every other storage call was made to fail')
  t.match(logged(/OTP_AUTH_STORAGE_UNAVAILABLE/)[0], /database is gone \(ECONNRESET\)/, 'the log contains the reason')
})

t.test('a logout that fails can be sent again, whether or not the session has ended', async (t) => {
  const { browser, state, codeFor, clock } = await setup(t)
  for (const [when, status] of [['before', 200], ['after', 401]] as const) {
    const anna = browser()
    const token = await anna.login('anna@example.com', codeFor)
    Object.assign(state, { broken: 'revokeSession', when })
    t.equal((await anna.logout()).status, 503)
    state.broken = null
    t.equal((await anna.get('/me', token)).status, status)
    t.match(await anna.logout(), { status: 200, setCookies: [/^__Host-refresh_token=; Max-Age=0/] })
    t.equal((await anna.get('/me', token)).status, 401)
    clock.advance(60)
  }
})

t.test('a refresh that fails after the rotation took effect logs nobody out during the grace period', async (t) => {
  const { browser, state, codeFor, clock, events } = await setup(t)
  for (const [seconds, status] of [[0, 200], [30, 200], [30.001, 401]] as const) {
    const anna = browser()
    const token = await anna.login('anna@example.com', codeFor)
    Object.assign(state, { broken: 'rotateSession', when: 'after' })
    t.equal((await anna.refresh()).status, 503)
    state.broken = null
    clock.advance(seconds)
    t.equal((await anna.refresh()).status, status, `sent again after ${seconds} s`)
    t.equal((await anna.get('/me', token)).status, status)
    clock.advance(60)
  }
  t.equal(events.filter(({ type }) => type === 'refresh-token.reused').length, 1, 'after the grace period the retry counts as refresh token reuse, and the user has to log in again')
})

t.test('when storage fails, the methods of app.otpAuth reject with the storage error', async (t) => {
  const user = { id: '1', email: 'anna@example.com', isVerified: true }
  const { app, browser, state } = await setup(t, {
    after: (app) => { app.post('/join', async (_request, reply) => await app.otpAuth.issueTokens(user, reply)) }
  })
  const acts: Record<string, () => Promise<unknown>> = {
    listSessions: () => app.otpAuth.listSessions('1'),
    removeExpired: () => app.otpAuth.cleanup(),
    insertSession: () => app.otpAuth.issueTokens(user),
    revokeSession: () => app.otpAuth.revokeSession('1'),
    revokeUserSessions: () => app.otpAuth.revokeAllSessions('1')
  }
  for (const when of ['before', 'after'] as const) {
    for (const [verb, act] of Object.entries(acts)) {
      Object.assign(state, { broken: verb, when })
      await t.rejects(act, { code: 'OTP_AUTH_STORAGE_UNAVAILABLE', statusCode: 503 })
    }
    state.broken = 'insertSession'
    t.match(await browser().post('/join'), { status: 503, setCookies: { length: 0 } }, 'a route of the application that issues tokens sets no cookie')
  }
})

t.test('inside a transaction of the application, better-sqlite3 writes nothing of ours and the response is 503', async (t) => {
  const { browser, client, clock, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.requestOtp('anna@example.com')
  client.exec('begin')
  const inside = await anna.verifyOtp('anna@example.com', wrongCode(codeFor('anna@example.com')))
  client.exec('rollback')
  t.match(inside, { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' } })
  clock.advance(60)
  t.equal((await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))).status, 200)
})

t.test('values in an error of the driver reach neither the log nor the client', async (t) => {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  for (const thrown of [
    new Error('Failed query: insert … params: anna-in-params@example.com', { cause: new Error('disk is full') }),
    'disk is full'
  ]) {
    const storage = { ...drizzleStorage(db), findUser: async () => { throw thrown } }
    const { browser } = await buildApp(t, { storage, sendLimits: { perDay: 1 } })
    t.equal((await browser(`192.0.${logged(/disk is full/).length}.1`).requestOtp(`anna${logged(/disk is full/).length}@example.com`)).status, 503)
  }
  t.equal(logged(/disk is full/).length > 1, true)
  t.same(logged(/anna-in-params/), [])
})

t.test('only the innermost message and code of a driver error are logged', async (t) => {
  const innermost = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
  t.equal(loggableError(new Error('Failed query: … params: anna@example.com', { cause: innermost })).message, 'disk I/O error (SQLITE_IOERR)')
  t.equal(loggableError(new Error('gone')).message, 'gone')
  t.equal(loggableError('gone').message, 'gone')
})
