import type { Test } from 'tap'
import { STORAGE_VERBS } from '../../src/storage/verbs.ts'
import { drizzleStorage } from '../../src/storage/drizzle/sqlite/adapter.ts'
import type { OtpAuthStorage } from '../../src/storage/contract.ts'
import { buildApp, openDatabase, wrongCode } from './app.ts'
import type { Answer, Browser } from './browser.ts'

export type Verb = Exclude<keyof OtpAuthStorage, 'userId'>

/** Whether a storage call fails before it runs, or after it ran and its result is lost, as when a connection breaks. */
export type When = 'before' | 'after'

/** A storage in which one method at a time can be made to fail. */
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

/** An application on {@link breakable} storage, with an email provider that can be down. */
export async function setup (t: Test, options: Parameters<typeof buildApp>[1] = {}) {
  const { db, client } = openDatabase()
  t.teardown(() => client.close())
  const { state, storage } = breakable(drizzleStorage(db))
  const provider = { isUp: true }
  const app = await buildApp(t, {
    ...options,
    storage,
    rateLimit: false, // all requests come from one address
    sendOtp: async () => { if (!provider.isUp) throw new Error('the email provider is down') }
  })
  return { ...app, client, state, provider }
}

/** A browser that is logged in as `email` and takes one more step. */
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
  'ask during the cooldown': { prepare: askForCode, act: askForCode },
  'ask while the email provider is down': { prepare: async ({ provider }) => { provider.isUp = false }, act: askForCode },
  'enter the code': { prepare: askForCode, act: enterCode },
  'enter a wrong code': { prepare: askForCode, act: ({ anna, email, codeFor }) => anna.verifyOtp(email, wrongCode(codeFor(email))) },
  'enter a code of another length': { prepare: askForCode, act: ({ anna, email }) => anna.verifyOtp(email, '1') },
  'enter the code in another browser': { prepare: askForCode, act: (context) => enterCode({ ...context, anna: context.browser() }) },
  'log in for the first time': {
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

/** What a failed step can cost the user. None of it lets anybody in, and a new code makes up for all of it. */
export type Cost =
  /** One count toward a limit: an email, an unbound attempt or a failure. */
  | 'a count'
  /** More than one count toward the same limit. This must never happen. */
  | 'more counts than one'
  /** One attempt on the challenge. */
  | 'an attempt'
  /** The code that was sent before is used up. */
  | 'the code'
  /** The session of the browser has ended. */
  | 'the session'
  /** A session whose tokens nobody received. It lets nobody in, and ends by itself. */
  | 'an undelivered session'
  /** A user that was created but not verified. Nobody is logged in as this user, and the next login continues from there. */
  | 'an unverified user'
  | 'a verified user'

/** What a user has: the session from before the step, and the rows in the database. */
export async function holdings ({ client, browser, token, email }: Context) {
  const user = client.prepare('select id, is_verified as isVerified from otp_users where email = ?').get(email) as
    { id: string, isVerified: number } | undefined
  const count = (select: string, ...values: string[]) => client.prepare(select).pluck().get(...values) as number
  return {
    user,
    isIn: (await browser().get('/me', token)).status === 200,
    sessions: count('select count(*) from otp_sessions where user_id = ? and revoked_at is null', user?.id ?? ''),
    attempts: count('select total(attempts) from otp_challenges where consumed_at is null'),
    counters: new Map(client.prepare('select key, long_count from otp_counters').raw().all() as Array<[string, number]>)
  }
}

/** What a user has lost or gained between the two. This does not cover the code: the caller has to try it. */
export function costsBetween (held: Awaited<ReturnType<typeof holdings>>, left: typeof held): Cost[] {
  const counts = [...left.counters].map(([key, count]) => count - (held.counters.get(key) ?? 0))
  const isOut = held.isIn && !left.isIn
  const costs: Array<Cost | false> = [
    Math.max(...counts) === 1 && 'a count',
    Math.max(...counts) > 1 && 'more counts than one',
    left.attempts > held.attempts && 'an attempt',
    isOut && 'the session',
    left.sessions + Number(isOut) > held.sessions && 'an undelivered session',
    held.user === undefined && left.user !== undefined && (left.user.isVerified === 1 ? 'a verified user' : 'an unverified user')
  ]
  return costs.filter((cost) => cost !== false)
}
