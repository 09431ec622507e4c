import { headerOf, type Shot, type WireAnswer } from './wire.ts'
import type { Dice } from './dice.ts'
import { ROUTE_HEADER, UNVERIFIED, type FuzzApp } from './app.ts'

/** Some of them share a mailbox, some are not allowed, and some refuse emails. */
const ADDRESSES = [
  ...Array.from({ length: 40 }, (_, n) => `user-${n}@fuzz.example`), ...Array.from({ length: 8 }, (_, n) => `user-1+tag${n}@fuzz.example`),
  ...Array.from({ length: 6 }, (_, n) => `bounce-${n}@fuzz.example`), ...Array.from({ length: 4 }, (_, n) => `banned-${n}@fuzz.example`),
  'anna.dot@gmail.com', 'a.nnadot@gmail.com', 'annadot@googlemail.com', 'jörg@bücher.example', 'user@xn--bcher-kva.example', UNVERIFIED
]

/** A client with its own IP address and its state so far, which makes its next request a likely one. */
export interface Actor {
  email: string
  ip: string
  cookies: Map<string, string>
  requestId?: string
  accessToken?: string
  /** The newest last, after some earlier ones. */
  refreshTokens: string[]
}

export function createActor (dice: Dice): Actor {
  const ip = dice.chance(20)
    ? `2001:db8:${dice.below(65536).toString(16)}:${dice.below(65536).toString(16)}::1`
    : `${dice.below(100) + 20}.${dice.below(256)}.${dice.below(256)}.${dice.below(256)}`
  return { email: dice.pick(ADDRESSES), ip, cookies: new Map(), refreshTokens: [] }
}

/** A request before it is changed. */
export interface Plan extends Omit<Shot, 'body' | 'spoil'> {
  json?: Record<string, unknown>
}

/** A likely next request of this client. Most of it is right, and the rest is almost right. */
export function plan (dice: Dice, actor: Actor, { codes, tokens }: FuzzApp): Plan {
  const { email, requestId, refreshTokens, cookies } = actor
  const headers: Plan['headers'] = [['host', 'localhost'], ['x-forwarded-for', actor.ip]]
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  if (cookie !== '' && dice.chance(85)) headers.push(['cookie', cookie])
  const token = dice.chance(8) ? tokens.unverified : actor.accessToken
  if (token !== undefined && dice.chance(90)) headers.push(['authorization', `Bearer ${token}`])
  const post = (route: string, json: Record<string, unknown>): Plan =>
    ({ method: 'POST', target: `/auth/${route}`, headers: [...headers, ['content-type', 'application/json']], json })
  const withId = requestId !== undefined && dice.chance(40) ? { request_id: requestId } : {}
  const withRefreshToken = refreshTokens.length > 0 && dice.chance(50)
    ? { refresh_token: dice.chance(85) ? refreshTokens.at(-1) : dice.pick(refreshTokens) }
    : {}
  const code = codes.get(email)
  const guessed = code === undefined || dice.chance(30) ? String(dice.below(1_000_000)).padStart(6, '0') : code
  const isIn = actor.accessToken !== undefined
  const hasCode = !isIn && requestId !== undefined && code !== undefined
  return dice.weighted<() => Plan>([
    [isIn ? 8 : hasCode ? 20 : 70, () => post('request-otp', { email: dice.chance(10) ? ` ${email.toUpperCase()} ` : email, ...withId })],
    [isIn ? 8 : hasCode ? 70 : 15, () => post('verify-otp', { email, code: dice.chance(10) ? `${guessed.slice(0, 3)} – ${guessed.slice(3)}` : guessed, ...withId })],
    [isIn ? 20 : 4, () => post('refresh', withRefreshToken)],
    [isIn ? 8 : 3, () => post('logout', withRefreshToken)],
    [isIn ? 40 : 8, () => ({ method: dice.chance(90) ? 'GET' : 'HEAD', target: dice.pick(['/me', '/verified', '/optional']), headers })]
  ])()
}

/** Keeps the parts of a response that a browser or a mobile app keeps. */
export function learn (actor: Actor, answer: WireAnswer, { secrets }: FuzzApp): void {
  for (const [name, line] of answer.headers) {
    if (name !== 'set-cookie') continue
    const [, cookie, value] = /^([^=]+)=([^;]*)/.exec(line)!
    secrets.remember(value)
    if (value === '') actor.cookies.delete(cookie!)
    else actor.cookies.set(cookie!, value!)
  }
  if (answer.status !== 200 || !headerOf(answer, ROUTE_HEADER)?.startsWith('/auth/')) return
  const { request_id: requestId, access_token: accessToken, refresh_token: refreshToken } = JSON.parse(answer.body)
  for (const secret of [requestId, accessToken, refreshToken]) secrets.remember(secret)
  actor.requestId = requestId ?? actor.requestId
  // A client that has logged out can still try its old tokens.
  actor.accessToken = accessToken ?? actor.accessToken
  if (refreshToken !== undefined) actor.refreshTokens = [...actor.refreshTokens, refreshToken].slice(-4)
}
