import t from 'tap'
import { loggableError } from '../../src/errors.ts'
import { STORAGE_VERBS } from '../../src/storage/verbs.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite.ts'
import { buildApp, openDatabase, wrongCode } from '../helpers/app.ts'
import { costsBetween, holdings, setup, steps, type Context, type Cost, type Step, type Verb, type When } from '../helpers/faults.ts'
import { logged } from '../helpers/log.ts'

/**
 * The worst that a failure of each verb may cost, over all steps of which it is one, sorted. What was written before it
 * stays, so a verb late in a login may cost more than an early one.
 */
const worst: { [verb in Verb]?: Record<When, Cost[]> } = {
  readCounter: { before: [], after: [] },
  incrementCounter: { before: [], after: ['a count'] },
  insertChallenge: { before: ['a count'], after: ['a count'] },
  renewChallenge: { before: ['a count'], after: ['a count'] },
  withdrawCode: { before: ['a count'], after: ['a count'] },
  decrementCounter: { before: ['a count'], after: ['a count'] },
  tryCode: { before: [], after: ['a try', 'the code'] },
  findChallenge: { before: [], after: [] },
  hasLiveChallenge: { before: [], after: [] },
  consumeCode: { before: ['a count'], after: ['a count', 'the code'] },
  countFailure: { before: ['a try'], after: ['a count', 'a try'] },
  resetConsecutiveFailures: { before: ['a count', 'the code'], after: ['a count', 'the code'] },
  findUser: { before: ['a count', 'the code'], after: ['a count', 'the code'] },
  insertUser: { before: ['the code'], after: ['an unverified user', 'the code'] },
  revokeUserSessions: { before: ['an unverified user', 'the code'], after: ['an unverified user', 'the code'] },
  verifyUser: { before: ['an unverified user', 'the code'], after: ['a verified user', 'the code'] },
  insertSession: {
    before: ['a count', 'a verified user', 'the code'],
    after: ['a count', 'a verified user', 'an unheld session', 'the code']
  },
  loadSession: { before: [], after: [] },
  // The rotation that took effect is made up for by the grace: see the refresh below.
  rotateSession: { before: [], after: [] },
  // At a login the new session is there already, and the browser's earlier one may be over.
  revokeSession: { before: ['an unheld session', 'the code'], after: ['an unheld session', 'the code', 'the session'] }
}

t.test('a verb that throws before or after it took effect: 503, nothing let through, no cookie lost, and it works once storage is back', async (t) => {
  const base = await setup(t)
  const { state, mailer, clock, codeFor, emails } = base

  /** A person who is signed in, up to the step, and the codes that were mailed for it. */
  async function arrive ({ prepare }: Step): Promise<Context & { codes: string[] }> {
    const email = `anna${clock()}@example.com`
    const anna = base.browser()
    const context = { ...base, anna, email, token: await anna.login(email, codeFor) }
    const mailed = emails.length
    clock.advance(60)
    await prepare?.(context)
    return Object.assign(context, { codes: emails.slice(mailed).map(({ code }) => code) })
  }

  async function verbsOf (step: Step): Promise<Verb[]> {
    const context = await arrive(step)
    state.called.clear()
    await step.act(context)
    mailer.isUp = true
    return [...state.called] as Verb[]
  }

  async function costsOf (step: Step, verb: Verb, when: When, label: string): Promise<Cost[]> {
    const context = await arrive(step)
    const { anna, email, codes } = context
    const cookies = new Map(anna.cookies)
    const held = await holdings(context)
    const mailed = emails.length
    Object.assign(state, { broken: verb, when })
    const answer = await step.act(context)
    state.broken = null
    mailer.isUp = true
    t.match(answer, { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' }, setCookies: { length: 0 } }, label)
    t.same(anna.cookies, cookies, label)
    t.notOk('access_token' in answer.body || 'email' in answer.body, label)

    const costs = costsBetween(held, await holdings(context))
    for (const code of [...codes, ...emails.slice(mailed).map(({ code }) => code)]) {
      const twice = [await anna.verifyOtp(email, code), await anna.verifyOtp(email, code)]
      const opened = twice.filter(({ status }) => status === 200).length
      t.ok(opened <= 1, `${label}: no code opens twice`)
      if (opened === 0 && codes.includes(code)) costs.push('the code')
    }
    clock.advance(60)
    t.type(await anna.login(email, codeFor), 'string', `${label}: a new code works`)
    return costs
  }

  /** What was lost over all steps, by the verb and when it failed. */
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
  ), 'it costs what it may, and no more')
  const elsewhere = ['userId', 'listSessions', 'removeExpired', 'hasMixedCaseEmails']
  t.same(STORAGE_VERBS.filter((verb) => !(verb in worst)), elsewhere, 'every other verb was broken somewhere')
  t.match(logged(/OTP_AUTH_STORAGE_UNAVAILABLE/)[0], /database is gone \(ECONNRESET\)/, 'the operator sees why')
})

t.test('a logout that fails can be tried again, whether the session is over or not', async (t) => {
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

t.test('a refresh whose rotation took effect, but whose answer failed, logs nobody out within the grace', async (t) => {
  const { browser, state, codeFor, clock, events } = await setup(t)
  for (const [seconds, status] of [[0, 200], [30, 200], [30.001, 401]] as const) {
    const anna = browser()
    const token = await anna.login('anna@example.com', codeFor)
    Object.assign(state, { broken: 'rotateSession', when: 'after' })
    t.equal((await anna.refresh()).status, 503)
    state.broken = null
    clock.advance(seconds)
    t.equal((await anna.refresh()).status, status, `tried again after ${seconds} s`)
    t.equal((await anna.get('/me', token)).status, status)
    clock.advance(60)
  }
  t.equal(events.filter(({ type }) => type === 'refresh-token.reused').length, 1, 'the worst: one who comes later than that looks like a thief, and logs in anew')
})

t.test('the programmatic side rejects, and a cleanup that fails says so', async (t) => {
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
    t.match(await browser().post('/join'), { status: 503, setCookies: { length: 0 } }, 'a route of the host that issues tokens sets no cookie')
  }
})

t.test('a better-sqlite3 handle inside a transaction of the host writes nothing of ours: 503', async (t) => {
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

t.test('what a driver throws reaches neither the log nor the client with its values', async (t) => {
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

t.test('of a driver’s error the innermost message and code go to the log, and nothing above them', async (t) => {
  const innermost = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
  t.equal(loggableError(new Error('Failed query: … params: anna@example.com', { cause: innermost })).message, 'disk I/O error (SQLITE_IOERR)')
  t.equal(loggableError(new Error('gone')).message, 'gone')
  t.equal(loggableError('gone').message, 'gone')
})
