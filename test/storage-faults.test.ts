import t from 'tap'
import { STORAGE_VERBS } from '../src/storage/fail-closed.ts'
import type { OtpAuthStorage } from '../src/storage/storage.ts'
import { drizzleStorage } from '../src/storage/drizzle/sqlite.ts'
import { buildApp, openDatabase, wrongCode } from './helpers/app.ts'
import type { Answer, Browser } from './helpers/browser.ts'
import { logged } from './helpers/log.ts'

type Verb = Exclude<keyof OtpAuthStorage, 'userId'>

/** A storage in which one verb at a time can be broken. */
function breakable (storage: OtpAuthStorage) {
  const state = { broken: null as string | null, hits: 0 }
  const proxy = new Proxy(storage, {
    get: (target, verb: Verb) => async (...input: never[]) => {
      if (verb === state.broken) {
        state.hits++
        throw Object.assign(new Error('database is gone'), { code: 'ECONNRESET' })
      }
      return await (target[verb] as (...input: never[]) => unknown)(...input)
    }
  })
  const verbs = Object.fromEntries(STORAGE_VERBS.map((verb) => [verb, proxy[verb]]))
  return { state, storage: { ...verbs, userId: storage.userId } as never as OtpAuthStorage }
}

async function setup (t: Parameters<typeof buildApp>[0]) {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  const { state, storage } = breakable(drizzleStorage(db))
  const mailer = { isUp: true }
  const app = await buildApp(t, {
    storage,
    rateLimit: false, // one machine breaks every verb in turn
    sendOtp: async () => { if (!mailer.isUp) throw new Error('mailer is down') }
  })
  return { ...app, state, mailer }
}

/** A browser that is signed in as `email` and does one thing more. */
type Context = Awaited<ReturnType<typeof setup>> & { anna: Browser, email: string, token: string }
interface Step {
  prepare?: (context: Context) => Promise<unknown>
  act: (context: Context) => Promise<Answer>
}

const askForCode = ({ anna, email }: Context) => anna.requestOtp(email)

const steps: Record<string, Step> = {
  'ask for a code': { act: askForCode },
  'ask for another code': {
    prepare: async (context) => {
      await askForCode(context)
      context.clock.advance(60)
    },
    act: askForCode
  },
  'ask inside the cool-down': { prepare: askForCode, act: askForCode },
  'ask while the mailer is down': { prepare: async ({ mailer }) => { mailer.isUp = false }, act: askForCode },
  'enter the code': { prepare: askForCode, act: ({ anna, email, codeFor }) => anna.verifyOtp(email, codeFor(email)) },
  'enter a wrong code': { prepare: askForCode, act: ({ anna, email, codeFor }) => anna.verifyOtp(email, wrongCode(codeFor(email))) },
  'enter a code of another length': { prepare: askForCode, act: ({ anna, email }) => anna.verifyOtp(email, '1') },
  'enter the code elsewhere': { prepare: askForCode, act: ({ browser, email, codeFor }) => browser().verifyOtp(email, codeFor(email)) },
  'sign in for the first time': {
    prepare: ({ browser, email }) => browser().requestOtp(`first-${email}`),
    act: ({ browser, email, codeFor }) => browser().verifyOtp(`first-${email}`, codeFor(`first-${email}`))
  },
  'open a guarded page': { act: ({ anna, token }) => anna.get('/me', token) },
  'open a page for the verified': { act: ({ anna, token }) => anna.get('/verified', token) },
  refresh: { act: ({ anna }) => anna.refresh() },
  'log out': { act: ({ anna }) => anna.logout() }
}

t.test('storage that throws at a verb: 503, nothing let through, no cookie lost, and it works once storage is back', async (t) => {
  const base = await setup(t)
  const { state, mailer, clock, codeFor } = base
  const hit = new Set<string>()
  for (const verb of STORAGE_VERBS) {
    for (const [name, { prepare, act }] of Object.entries(steps)) {
      const label = `${name}, with ${verb} broken`
      const email = `anna${clock()}@example.com`
      const anna = base.browser()
      const context = { ...base, anna, email, token: await anna.login(email, codeFor) }
      clock.advance(60)
      await prepare?.(context)
      const cookies = new Map(anna.cookies)
      Object.assign(state, { broken: verb, hits: 0 })
      const answer = await act(context)
      state.broken = null
      mailer.isUp = true
      if (state.hits === 0) continue

      hit.add(verb)
      t.match(answer, { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' }, setCookies: { length: 0 } }, label)
      t.same(anna.cookies, cookies, label)
      t.notOk('access_token' in answer.body || 'email' in answer.body, label)
      clock.advance(60)
      t.type(await anna.login(email, codeFor), 'string', label)
    }
  }
  const elsewhere = ['userId', 'listSessions', 'removeExpired', 'hasMixedCaseEmails']
  t.same(STORAGE_VERBS.filter((verb) => !hit.has(verb)), elsewhere, 'every other verb was broken somewhere')
  t.match(logged(/OTP_AUTH_STORAGE_UNAVAILABLE/)[0], /database is gone \(ECONNRESET\)/, 'the operator sees why')
})

t.test('a logout that fails can be tried again', async (t) => {
  const { browser, state, codeFor } = await setup(t)
  const anna = browser()
  const token = await anna.login('anna@example.com', codeFor)
  state.broken = 'revokeSession'
  t.equal((await anna.logout()).status, 503)
  state.broken = null
  t.equal((await anna.get('/me', token)).status, 200)
  t.equal((await anna.logout()).status, 200)
  t.equal((await anna.get('/me', token)).status, 401)
})

t.test('the programmatic side rejects, and a cleanup that fails says so', async (t) => {
  const { app, state } = await setup(t)
  const acts: Record<string, () => Promise<unknown>> = {
    listSessions: () => app.otpAuth.listSessions('1'),
    removeExpired: () => app.otpAuth.cleanup(),
    insertSession: () => app.otpAuth.issueTokens({ id: '1', email: 'anna@example.com', isVerified: true }),
    revokeSession: () => app.otpAuth.revokeSession('1'),
    revokeUserSessions: () => app.otpAuth.revokeAllSessions('1')
  }
  for (const [verb, act] of Object.entries(acts)) {
    state.broken = verb
    await t.rejects(act, { code: 'OTP_AUTH_STORAGE_UNAVAILABLE', statusCode: 503 })
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
    const { browser } = await buildApp(t, { storage, sendBudget: { perDay: 1 } })
    t.equal((await browser(`192.0.${logged(/disk is full/).length}.1`).requestOtp(`anna${logged(/disk is full/).length}@example.com`)).status, 503)
  }
  t.equal(logged(/disk is full/).length > 1, true)
  t.same(logged(/anna-in-params/), [])
})
