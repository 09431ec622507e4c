import type { Device } from './state.ts'
import { accessOf, refreshOf, type Observed, type Run, type Visitor } from './run.ts'
import type { Crash } from './world.ts'

/** One of the known values: `back` counts back from the newest, and starts again after the oldest. Undefined if the list is empty. */
const pick = (known: readonly string[], back: number) => known.at(-1 - back % known.length)

type Carried = 'cookie' | 'none' | 'planted' | number

const REQUEST = '__Host-otp_request'
const REFRESH = '__Host-refresh_token'
const PLANTED = 'planted_planted_planted'.slice(0, 22)

/** The request ID that a request carries: the field for the body, and the ID that the server reads. */
function carry (run: Run, { browser }: Visitor, which: Carried): { field: { request_id?: string }, id: string | null } {
  if (which === 'none') browser.cookies.delete(REQUEST)
  const given = which === 'planted' ? PLANTED : typeof which === 'number' ? pick(run.ids, which) : undefined
  return { field: given === undefined ? {} : { request_id: given }, id: given ?? browser.cookies.get(REQUEST) ?? null }
}

/** The refresh token that a request carries, in the cookie or in the body, and its claims. */
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
  location: number
  carried: Carried
  provider: 'works' | 'rejects' | 'hangs'
  crash: Crash | null
}

export async function askForCode (run: Run, input: Asking): Promise<void> {
  const who = run.visitors[input.visitor]!
  const email = run.addresses[input.address]!
  const { ip, network } = run.locations[input.location]!
  const { field, id } = carry(run, who, input.carried)
  run.world.provider = input.provider
  const { seen } = await run.send(who, { method: 'POST', url: '/auth/request-otp', remoteAddress: ip, payload: { email, ...field } },
    input.crash, (model, { id: made, code }) =>
      model.request({ address: email, device: who.device, network, carried: id, provider: input.provider, made: { id: made, code } }))
  if (seen.status === 200) run.ids.push(seen['request_id'] as string)
}

export type Typed = 'wrong' | 'wrong and long' | 'odd' | number

interface Entering {
  visitor: number
  address: number
  code: Typed
  carried: Carried
  crash: Crash | null
}

/** A code that was sent, counted back from the newest, or one that was not sent. */
function typed (run: Run, address: string, which: Typed): string {
  const sentCodes = run.codesOf(address)
  const isNew = (code: string) => !sentCodes.includes(code)
  if (which === 'odd') return '1234567'
  if (which === 'wrong and long') return '0123456789ABC'
  return (typeof which === 'number' ? pick(sentCodes, which) : undefined) ?? ['111111', '222222', '333333'].find(isNew)!
}

export async function enterCode (run: Run, input: Entering): Promise<void> {
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

export async function enterWrongCodes (run: Run, input: Asking & { times: number }): Promise<void> {
  await askForCode(run, { ...input, crash: null })
  for (let time = 0; time < input.times; time++) await enterCode(run, { ...input, code: 'wrong', crash: null })
}

export async function logIn (run: Run, input: Omit<Asking & Entering, 'code' | 'provider' | 'carried' | 'crash'>): Promise<void> {
  await askForCode(run, { ...input, carried: 'cookie', provider: 'works', crash: null })
  await enterCode(run, { ...input, carried: 'cookie', code: 0, crash: null })
}

export async function askWhileProviderIsDown (run: Run, input: Asking & { times: number }): Promise<void> {
  for (let time = 0; time < input.times; time++) await askForCode(run, { ...input, provider: 'rejects', crash: null })
}

/** A login during which the process dies. An attacker may have created the account before. */
export async function dieAtLogin (run: Run, input: Parameters<typeof logIn>[1] & { isPrepared: boolean, crash: Crash }): Promise<void> {
  if (input.isPrepared) {
    await prepareAccount(run, input)
    await wait(run, { seconds: 1 })
  }
  await askForCode(run, { ...input, carried: 'cookie', provider: 'works', crash: null })
  await enterCode(run, { ...input, carried: 'cookie', code: 0 })
  await lookAtAccount(run, input)
}

export async function refresh (run: Run, input: { visitor: number, token: 'cookie' | number, crash: Crash | null }): Promise<void> {
  const who = run.visitors[input.visitor]!
  const { field, says } = presentRefresh(run, who, input.token)
  learnTokens(run, await run.send(who, { method: 'POST', url: '/auth/refresh', payload: field }, input.crash, (model) => model.refresh(says)))
}

export async function logOut (run: Run, input: { visitor: number, token: 'cookie' | number, bearer: number | null, crash: Crash | null }): Promise<void> {
  const who = run.visitors[input.visitor]!
  const { field, says } = presentRefresh(run, who, input.token)
  const bearer = input.bearer === null ? undefined : pick(run.accessTokens, input.bearer)
  await run.send(who, { method: 'POST', url: '/auth/logout', payload: field, headers: authorization(bearer) }, input.crash,
    (model) => model.logout([says, bearer === undefined ? null : accessOf(bearer)]))
}

export async function openPage (run: Run, input: { token: number, guard: '/me' | '/verified' }): Promise<void> {
  const bearer = pick(run.accessTokens, input.token)
  await run.send(run.visitors[0]!, { method: 'GET', url: input.guard, headers: authorization(bearer) }, null,
    (model) => model.guarded(bearer === undefined ? null : accessOf(bearer), input.guard))
}

function authorization (bearer: string | undefined): Record<string, string> {
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
}

/** An attacker creates an account and a session for an email of somebody else, through another feature of the application. */
export async function prepareAccount (run: Run, input: { address: number }): Promise<void> {
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

export async function ban (run: Run, input: { address: number }): Promise<void> {
  const email = run.addresses[input.address]!
  if (!run.world.banned.delete(email)) run.world.banned.add(email)
  const banned = [...run.world.banned]
  run.look(null, ({ state }) => {
    state.banned = banned
    return null
  })
}

export async function lookAtAccount (run: Run, input: { address: number }): Promise<void> {
  const email = run.addresses[input.address]!
  const { app, storage } = run.world
  const user = await storage.findUser(email)
  const sessions = user === null ? [] : await app.otpAuth.listSessions(user.id)
  run.look({ isVerified: user?.isVerified ?? null, sessions: sessions.length }, (model) => model.account(email))
}

export async function wait (run: Run, input: { seconds: number }): Promise<void> {
  run.world.now += input.seconds * 1000
}

/** Cleanup removes what has expired, and no response changes. */
export async function cleanUp (run: Run): Promise<void> {
  await run.world.app.otpAuth.cleanup()
}
