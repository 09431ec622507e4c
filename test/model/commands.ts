import fc from 'fast-check'
import type { Device } from './state.ts'
import { accessOf, refreshOf, type Observed, type Run, type Visitor } from './run.ts'
import type { Crash } from './world.ts'

/** One step of a sequence. Which of the things known so far it takes is a number, counted back from the newest. */
type Act<Input> = (run: Run, input: Input) => Promise<void>

class Step<Input> implements fc.AsyncCommand<Run, Run> {
  readonly #name: string
  readonly #input: Input
  readonly #act: Act<Input>
  readonly check: (run: Run) => boolean

  constructor (name: string, input: Input, act: Act<Input>, makesSense: (run: Run) => boolean) {
    this.#name = name
    this.#input = input
    this.#act = act
    this.check = makesSense
  }

  run = async (_: unknown, run: Run): Promise<void> => { await this.#act(run, this.#input) }
  toString = () => `${this.#name} ${JSON.stringify(this.#input)}`
}

const step = <Input> (name: string, input: fc.Arbitrary<Input>, act: Act<Input>, makesSense: (run: Run) => boolean = () => true) =>
  input.map((drawn) => new Step(name, drawn, act, makesSense))

/** The same ones come again and again, for a limit is reached by those alone. */
const visitor = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2) })
const place = fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(5) })
const address = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2) })
const death = fc.record({ at: fc.integer({ min: 1, max: 9 }), tookEffect: fc.boolean() })
const crash = fc.oneof({ weight: 7, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: death })
/** Of the request ids: what the cookie holds, none at all, one that nobody made, or one of those handed out. */
const carried = fc.oneof(
  { weight: 5, arbitrary: fc.constant('cookie' as const) },
  { weight: 1, arbitrary: fc.constantFrom('none' as const, 'planted' as const) },
  { weight: 2, arbitrary: fc.nat(4) }
)
const token = fc.oneof({ weight: 3, arbitrary: fc.constant('cookie' as const) }, { weight: 3, arbitrary: fc.nat(4) })
/** One of those known so far, counted back from the newest, and round; nothing where there are none. */
const pick = (known: readonly string[], back: number) => known.at(-1 - back % known.length)

type Carried = 'cookie' | 'none' | 'planted' | number

const REQUEST = '__Host-otp_request'
const REFRESH = '__Host-refresh_token'
const PLANTED = 'planted_planted_planted'.slice(0, 22)

/** What a request carries as its id, and what that is to the server. */
function carry (run: Run, { browser }: Visitor, which: Carried): { field: { request_id?: string }, id: string | null } {
  if (which === 'none') browser.cookies.delete(REQUEST)
  const given = which === 'planted' ? PLANTED : typeof which === 'number' ? pick(run.ids, which) : undefined
  return { field: given === undefined ? {} : { request_id: given }, id: given ?? browser.cookies.get(REQUEST) ?? null }
}

/** Refresh tokens come with the cookie, or in the body. */
function presentRefresh (run: Run, { browser }: Visitor, which: 'cookie' | 'none' | number) {
  if (which === 'none') browser.cookies.delete(REFRESH)
  const given = typeof which === 'number' ? pick(run.refreshTokens, which) : undefined
  const used = given ?? browser.cookies.get(REFRESH)
  return { field: given === undefined ? {} : { refresh_token: given }, says: used === undefined ? null : refreshOf(used) }
}

function learnTokens (run: Run, { tokens }: Observed): void {
  if (tokens === null) return
  run.accessTokens.push(tokens.access)
  run.refreshTokens.push(tokens.refresh)
}

interface Asking {
  visitor: number
  address: number
  place: number
  carried: Carried
  mailer: 'works' | 'rejects' | 'hangs'
  crash: Crash | null
}

async function askForCode (run: Run, input: Asking): Promise<void> {
  const who = run.visitors[input.visitor]!
  const email = run.addresses[input.address]!
  const { ip, network } = run.places[input.place]!
  const { field, id } = carry(run, who, input.carried)
  run.world.mailer = input.mailer
  const { seen } = await run.send(who, { method: 'POST', url: '/auth/request-otp', remoteAddress: ip, payload: { email, ...field } },
    input.crash, (model, { id: made, code }) =>
      model.request({ address: email, device: who.device, network, carried: id, mailer: input.mailer, made: { id: made, code } }))
  if (seen.status === 200) run.ids.push(seen['request_id'] as string)
}

type Typed = 'wrong' | 'wrong and long' | 'odd' | number

interface Guessing {
  visitor: number
  address: number
  code: Typed
  carried: Carried
  crash: Crash | null
}

/** Codes that were mailed, counted back from the newest, or ones that were not. */
function typed (run: Run, address: string, which: Typed): string {
  const mailed = run.codesOf(address)
  const isNew = (code: string) => !mailed.includes(code)
  if (which === 'odd') return '1234567'
  if (which === 'wrong and long') return '0123456789ABC'
  return (typeof which === 'number' ? pick(mailed, which) : undefined) ?? ['111111', '222222', '333333'].find(isNew)!
}

async function enterCode (run: Run, input: Guessing): Promise<void> {
  const who = run.visitors[input.visitor]!
  const email = run.addresses[input.address]!
  const { field, id } = carry(run, who, input.carried)
  const code = typed(run, email, input.code)
  const { says: presented } = presentRefresh(run, who, 'cookie')
  const { device } = who
  const observed = await run.send(who, { method: 'POST', url: '/auth/verify-otp', payload: { email, code, ...field } },
    input.crash, (model, made) => model.verify({ address: email, code, carried: id, device, presented, made }))
  if (observed.seen.status !== 200) return
  learnTokens(run, observed)
  const others = device?.id === observed.device ? device.addresses.filter((other) => other !== email) : []
  who.device = { id: observed.device, addresses: [email, ...others], until: run.world.now + 180 * 86_400_000 } satisfies Device
}

async function guessWrongly (run: Run, input: Asking & { times: number }): Promise<void> {
  await askForCode(run, { ...input, crash: null })
  for (let time = 0; time < input.times; time++) await enterCode(run, { ...input, code: 'wrong', crash: null })
}

async function logIn (run: Run, input: Omit<Asking & Guessing, 'code' | 'mailer' | 'carried' | 'crash'>): Promise<void> {
  await askForCode(run, { ...input, carried: 'cookie', mailer: 'works', crash: null })
  await enterCode(run, { ...input, carried: 'cookie', code: 0, crash: null })
}

/** A login whose process dies somewhere on the way. */
async function dieAtLogin (run: Run, input: Parameters<typeof logIn>[1] & { crash: Crash }): Promise<void> {
  await askForCode(run, { ...input, carried: 'cookie', mailer: 'works', crash: null })
  await enterCode(run, { ...input, carried: 'cookie', code: 0 })
}

async function refresh (run: Run, input: { visitor: number, token: 'cookie' | number, crash: Crash | null }): Promise<void> {
  const who = run.visitors[input.visitor]!
  const { field, says } = presentRefresh(run, who, input.token)
  learnTokens(run, await run.send(who, { method: 'POST', url: '/auth/refresh', payload: field }, input.crash, (model) => model.refresh(says)))
}

async function logOut (run: Run, input: { visitor: number, token: 'cookie' | number, bearer: number | null, crash: Crash | null }): Promise<void> {
  const who = run.visitors[input.visitor]!
  const { field, says } = presentRefresh(run, who, input.token)
  const bearer = input.bearer === null ? undefined : pick(run.accessTokens, input.bearer)
  await run.send(who, { method: 'POST', url: '/auth/logout', payload: field, headers: authorization(bearer) }, input.crash,
    (model) => model.logout([says, bearer === undefined ? null : accessOf(bearer)]))
}

async function openPage (run: Run, input: { token: number, guard: '/me' | '/verified' }): Promise<void> {
  const bearer = pick(run.accessTokens, input.token)
  await run.send(run.visitors[0]!, { method: 'GET', url: input.guard, headers: authorization(bearer) }, null,
    (model) => model.guarded(bearer === undefined ? null : accessOf(bearer), input.guard))
}

function authorization (bearer: string | undefined): Record<string, string> {
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
}

/** Somebody makes an account for an address that is not theirs, by whatever other way in the host has, and a session on it. */
async function prepareAccount (run: Run, input: { address: number }): Promise<void> {
  const email = run.addresses[input.address]!
  const { app, storage } = run.world
  const made = await storage.insertUser({ email, fields: {} })
  if ('refused' in made) return run.look(true, ({ state }) => state.users[email] !== undefined)
  const { accessToken, refreshToken } = await app.otpAuth.issueTokens(made.user.row as Parameters<typeof app.otpAuth.issueTokens>[0])
  run.accessTokens.push(accessToken)
  run.refreshTokens.push(refreshToken)
  run.look({ wasThere: false, access: accessOf(accessToken), refresh: refreshOf(refreshToken), expires_in: 900 }, (model) => {
    const wasThere = model.state.users[email] !== undefined
    model.state.users[email] = { isVerified: false }
    return { wasThere, ...model.start(email, accessOf(accessToken).sid) }
  })
}

async function ban (run: Run, input: { address: number }): Promise<void> {
  const email = run.addresses[input.address]!
  if (!run.world.banned.delete(email)) run.world.banned.add(email)
  const banned = [...run.world.banned]
  run.look(null, ({ state }) => {
    state.banned = banned
    return null
  })
}

async function lookAtAccount (run: Run, input: { address: number }): Promise<void> {
  const email = run.addresses[input.address]!
  const { app, storage } = run.world
  const user = await storage.findUser(email)
  const sessions = user === null ? [] : await app.otpAuth.listSessions(user.id)
  run.look({ isVerified: user?.isVerified ?? null, sessions: sessions.length }, (model) => model.account(email))
}

async function wait (run: Run, input: { seconds: number }): Promise<void> {
  run.world.now += input.seconds * 1000
}

/** What is over is gone, and nobody notices. */
async function cleanUp (run: Run): Promise<void> {
  await run.world.app.otpAuth.cleanup()
}

const one = <T> (value: T) => fc.constant(value)

const asking = {
  visitor,
  address,
  place,
  carried,
  mailer: fc.oneof({ weight: 8, arbitrary: one('works' as const) }, { weight: 1, arbitrary: fc.constantFrom('rejects' as const, 'hangs' as const) }),
  crash
}
/** Mostly the newest code, or a wrong one. */
const code = fc.oneof(
  { weight: 4, arbitrary: one<Typed>(0) },
  { weight: 2, arbitrary: fc.nat(3) },
  { weight: 3, arbitrary: one<Typed>('wrong') },
  { weight: 1, arbitrary: fc.constantFrom<Typed[]>('wrong and long', 'odd') }
)
const guessing = { visitor, address, carried, code, crash }
const MINUTE = 60
const DAY = 86_400
const seconds = fc.oneof({ weight: 7, arbitrary: one(MINUTE) }, {
  weight: 5,
  arbitrary: fc.constantFrom(
    1, 29, 30, 31, 59, 61, 539, 540, 599, 600, 899, 900, 3600, 6 * 3600, DAY - 1, DAY, 7 * DAY - 1, 7 * DAY, 23 * DAY, 30 * DAY, 180 * DAY
  )
})

const hasLoggedIn = ({ accessTokens }: Run) => accessTokens.length > 0

const weighted: Array<[number, fc.Arbitrary<Step<any>>]> = [
  [6, step('ask for a code', fc.record(asking), askForCode)],
  [5, step('enter a code', fc.record(guessing), enterCode)],
  [3, step('ask and guess wrongly', fc.record({ ...asking, times: fc.integer({ min: 2, max: 4 }) }), guessWrongly)],
  [4, step('log in', fc.record({ visitor, address, place }), logIn)],
  [1, step('die at the login', fc.record({ visitor, address, place, crash: death }), dieAtLogin)],
  [7, step('refresh', fc.record({ visitor, token, crash }), refresh, hasLoggedIn)],
  [2, step('log out', fc.record({ visitor, token, bearer: fc.option(fc.nat(3)), crash }), logOut, hasLoggedIn)],
  [3, step('open a page', fc.record({ token: fc.nat(4), guard: fc.constantFrom('/me' as const, '/verified' as const) }), openPage, hasLoggedIn)],
  [2, step('prepare an account', fc.record({ address }), prepareAccount)],
  [1, step('ban or unban', fc.record({ address }), ban)],
  [1, step('look at an account', fc.record({ address }), lookAtAccount)],
  [9, step('wait', fc.record({ seconds }), wait)],
  [1, step('clean up', fc.record({}), cleanUp)]
]

/** Sequences of up to forty steps; long ones as often as short ones, for the limits lie deep. */
export const sequences = fc.commands([fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })))], { maxCommands: 40, size: 'max' })
