import type { Test } from 'tap'
import { STORAGE_VERBS } from '../../src/storage/verbs.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite.ts'
import type { OtpAuthStorage } from '../../src/storage/contract.ts'
import { buildApp, openDatabase, wrongCode } from './app.ts'
import type { Answer, Browser } from './browser.ts'

export type Verb = Exclude<keyof OtpAuthStorage, 'userId'>

/** A verb fails without running, or it ran and its answer is lost, as on a connection that breaks. */
export type When = 'before' | 'after'

/** A storage in which one verb at a time can be broken. */
function breakable (storage: OtpAuthStorage) {
  const state = { broken: null as string | null, when: 'before' as When, called: new Set<string>() }
  const verbs = Object.fromEntries(STORAGE_VERBS.map((verb) => [verb, async (...input: never[]) => {
    state.called.add(verb)
    const run = async () => await (storage[verb] as (...input: never[]) => unknown)(...input)
    if (verb !== state.broken) return await run()
    if (state.when === 'after') await run()
    throw Object.assign(new Error('database is gone'), { code: 'ECONNRESET' })
  }]))
  return { state, storage: { ...verbs, userId: storage.userId } as never as OtpAuthStorage }
}

/** An application on {@link breakable} storage, with a mailer that can be down. */
export async function setup (t: Test, options: Parameters<typeof buildApp>[1] = {}) {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  const { state, storage } = breakable(drizzleStorage(db))
  const mailer = { isUp: true }
  const app = await buildApp(t, {
    ...options,
    storage,
    rateLimit: false, // one machine breaks every verb in turn
    sendOtp: async () => { if (!mailer.isUp) throw new Error('mailer is down') }
  })
  return { ...app, client, state, mailer }
}

/** A browser that is signed in as `email` and does one thing more. */
export type Context = Awaited<ReturnType<typeof setup>> & { anna: Browser, email: string, token: string }
export interface Step {
  prepare?: (context: Context) => Promise<unknown>
  act: (context: Context) => Promise<Answer>
}

const askForCode = ({ anna, email }: Context) => anna.requestOtp(email)
const enterCode = ({ anna, email, codeFor }: Context) => anna.verifyOtp(email, codeFor(email))

export const steps: Record<string, Step> = {
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
  'enter the code': { prepare: askForCode, act: enterCode },
  'enter a wrong code': { prepare: askForCode, act: ({ anna, email, codeFor }) => anna.verifyOtp(email, wrongCode(codeFor(email))) },
  'enter a code of another length': { prepare: askForCode, act: ({ anna, email }) => anna.verifyOtp(email, '1') },
  'enter the code elsewhere': { prepare: askForCode, act: (context) => enterCode({ ...context, anna: context.browser() }) },
  'sign in for the first time': {
    prepare: async (context) => {
      Object.assign(context, { anna: context.browser(), email: `first-${context.email}` })
      await askForCode(context)
    },
    act: enterCode
  },
  'open a guarded page': { act: ({ anna, token }) => anna.get('/me', token) },
  'open a page for the verified': { act: ({ anna, token }) => anna.get('/verified', token) },
  refresh: { act: ({ anna }) => anna.refresh() },
  'log out': { act: ({ anna }) => anna.logout() }
}

/** What a failed act may cost: nothing of it opens anything, and a new code makes up for all of it. */
export type Cost =
  /** One event in a budget: a send, an unbound guess, a failure. */
  | 'a count'
  /** More than one in the same budget, which nothing may cost. */
  | 'more counts than one'
  /** One try at the code. */
  | 'a try'
  /** The code that was mailed before is used up. */
  | 'the code'
  /** The session that the browser had is over. */
  | 'the session'
  /** A session whose tokens nobody was given: it opens nothing, and ends by itself. */
  | 'an unheld session'
  /** Nobody is logged in as it; the next proof goes on from there. */
  | 'an unverified user'
  | 'a verified user'

/** What a person has: the session of the login before the step, and what the database holds. */
export async function holdings ({ client, browser, token, email }: Context) {
  const user = client.prepare('select id, is_verified as isVerified from otp_users where email = ?').get(email) as
    { id: string, isVerified: number } | undefined
  const count = (select: string, ...values: string[]) => client.prepare(select).pluck().get(...values) as number
  return {
    user,
    isIn: (await browser().get('/me', token)).status === 200,
    sessions: count('select count(*) from otp_sessions where user_id = ? and revoked_at is null', user?.id ?? ''),
    tries: count('select total(attempts) from otp_challenges where consumed_at is null'),
    counters: new Map(client.prepare('select key, long_count from otp_counters').raw().all() as Array<[string, number]>)
  }
}

/** What a person has no more, or has beyond what was there. The code is not seen here: whoever asks has to try it. */
export function costsBetween (held: Awaited<ReturnType<typeof holdings>>, left: typeof held): Cost[] {
  const counts = [...left.counters].map(([key, count]) => count - (held.counters.get(key) ?? 0))
  const isOut = held.isIn && !left.isIn
  const costs: Array<Cost | false> = [
    Math.max(...counts) === 1 && 'a count',
    Math.max(...counts) > 1 && 'more counts than one',
    left.tries > held.tries && 'a try',
    isOut && 'the session',
    left.sessions + Number(isOut) > held.sessions && 'an unheld session',
    held.user === undefined && left.user !== undefined && (left.user.isVerified === 1 ? 'a verified user' : 'an unverified user')
  ]
  return costs.filter((cost) => cost !== false)
}
