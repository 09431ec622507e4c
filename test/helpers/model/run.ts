import { isDeepStrictEqual, inspect } from 'node:util'
import type { InjectOptions } from 'fastify'
import { START } from '../app.ts'
import { Browser, type Answer } from '../browser.ts'
import { claimsOf } from '../jwt.ts'
import { Model } from './model.ts'
import { emptyState, type Access, type Device, type Expected, type Refresh, type State } from './state.ts'
import type { Crash, World } from './world.ts'

let runs = 0

/** If this many states are possible already, no more processes die. */
const MANY = 40

/** An IP address that requests come from, and the network that it counts as. */
export interface Location {
  ip: string
  network: string
}

export interface Visitor {
  browser: Browser
  device: Device | null
}

/** The response of the model, given the random values of the plugin. */
type Predict = (model: Model, drawn: Observed) => Expected

/**
 * One sequence against one database. It has its own emails and networks, and remembers all tokens and codes so far.
 *
 * If a process dies, nobody knows how far it got, so the database can be in one of several states. Later responses rule some
 * of them out. A response that no possible state predicts is an error.
 */
export class Run {
  readonly world: World
  readonly addresses: readonly string[]
  readonly locations: readonly Location[]
  readonly visitors: readonly Visitor[]
  readonly ids: string[] = []
  readonly refreshTokens: string[] = []
  readonly accessTokens: string[] = []
  readonly #codes = new Map<string, string[]>()
  #states: State[] = [emptyState()]
  #lost = 0

  constructor (world: World) {
    const run = ++runs
    Object.assign(world, { now: START, provider: 'works', emails: [] })
    world.banned.clear()
    this.world = world
    this.addresses = [`anna-${run}@example.com`, `anna-${run}+shop@example.com`, `bert-${run}@example.com`]
    const [high, low] = [run >> 8, run & 255]
    this.locations = [
      { ip: `10.${high}.${low}.1`, network: 'office' },
      { ip: `::ffff:10.${high}.${low}.254`, network: 'office' },
      { ip: `11.${high}.${low}.1`, network: 'home' },
      { ip: `2001:db8:${run.toString(16)}:ab01::1`, network: 'phone' },
      { ip: `2001:db8:${run.toString(16)}:abff:1::1`, network: 'phone' },
      { ip: `12.${high}.${low}.1`, network: 'hotel' }
    ]
    this.visitors = Array.from({ length: 3 }, () => ({ browser: new Browser(world.app, ''), device: null }))
  }

  /** The codes that were sent to an email, oldest first. */
  codesOf (address: string): string[] {
    const known = this.#codes.get(address) ?? []
    this.#codes.set(address, known)
    return known
  }

  /** Compares something that the application sees or does. @throws if no state predicts it */
  look (seen: unknown, predict: (model: Model) => unknown): void {
    this.#keep(seen, (state) => {
      const predicted = predict(new Model(state, this.world.now, () => {}))
      return { predicted, states: isDeepStrictEqual(predicted, seen) ? [state] : [] }
    })
  }

  /** Sends a request and compares the response. @throws if no state predicts it */
  async send (visitor: Visitor, request: InjectOptions, crash: Crash | null, predict: Predict): Promise<Observed> {
    const { world } = this
    world.emails = []
    const { result: answer, crashed } = await world.crashing(this.#states.length < MANY ? crash : null, () => visitor.browser.send(request))
    const sent = world.emails[0]
    if (sent !== undefined) this.codesOf(sent.email).push(sent.code)
    const observed = observe(answer, visitor, this.#sentEmail(), sent?.code ?? null)
    if (crashed) this.#crashed(observed, predict)
    else {
      this.#keep(observed.seen, (state) => {
        const predicted = predict(new Model(state, world.now, () => {}), observed)
        return { predicted, states: isDeepStrictEqual(predicted, observed.seen) ? [state] : [] }
      })
    }
    return observed
  }

  #sentEmail (): Expected['sent'] {
    const { emails } = this.world
    if (emails.length > 1) throw new Error('more than one email was sent')
    const [sent] = emails
    if (sent === undefined) return null
    return { to: sent.email, length: sent.code.length, isNewUser: sent.isNewUser!, until: sent.expiresAt.getTime() }
  }

  /** The client got no response, and the database has all writes up to an unknown point. */
  #crashed (observed: Observed, predict: Predict): void {
    const { status, cookies, sent } = observed.seen
    if (status !== 503 || cookies.length > 0) throw new Error(`a process that died responded with ${inspect(observed.seen)}`)
    const hasSent = sent !== null
    const lost: Observed = { ...observed, id: `lost ${++this.#lost}`, sid: `lost ${this.#lost}` }
    this.#keep(observed.seen, (state) => {
      const states = hasSent ? [] : [structuredClone(state)]
      const predicted = predict(new Model(state, this.world.now, (wasSent) => {
        if (wasSent === hasSent) states.push(structuredClone(state))
      }), lost)
      return { predicted, states }
    })
  }

  #keep (seen: unknown, step: (state: State) => { predicted: unknown, states: State[] }): void {
    const tried = this.#states.map((state) => step(structuredClone(state)))
    const states = new Map(tried.flatMap(({ states }) => states).map((state) => [JSON.stringify(state), state]))
    if (states.size === 0) {
      throw new Error(`predicted: ${inspect(tried[0]!.predicted, { depth: 5 })}\nactual: ${inspect(seen, { depth: 5 })}` +
        (tried.length > 1 ? `\n(the first of ${tried.length} states that earlier crashes allow)` : ''))
    }
    this.#states = [...states.values()]
  }
}

export interface Observed {
  seen: Expected
  /** The random values of the plugin. */
  id: string
  sid: string
  device: string
  code: string | null
  tokens: { access: string, refresh: string } | null
}

const FIELDS = ['request_id', 'expires_in', 'resend_after', 'code_length', 'email', 'attemptsRemaining', 'retryAfter']

/** Translates a response into the form of the model. */
function observe (
  { status, body, headers, setCookies }: Answer, { browser, device: before }: Visitor, sent: Expected['sent'], code: string | null
): Observed {
  const seen: Expected = { status, cookies: setCookies.map(change), sent }
  if (status !== 200) seen.code = body.code
  for (const field of FIELDS) {
    if (body[field] !== undefined) seen[field] = body[field]
  }
  if (headers['retry-after'] !== body.retryAfter?.toString()) seen['retry-after'] = headers['retry-after']
  const device = browser.cookies.get('__Host-otp_device')?.split('.')[0] ?? ''
  if (seen.cookies.includes('+otp_device')) seen['device'] = device === before?.id ? device : 'new'
  const tokens = body.access_token === undefined ? null : { access: body.access_token, refresh: body.refresh_token }
  if (tokens !== null) {
    Object.assign(seen, { access: accessOf(tokens.access), refresh: refreshOf(tokens.refresh) })
    if (browser.cookies.get('__Host-refresh_token') !== tokens.refresh) seen['refresh'] = 'not the one in the cookie'
  }
  return { seen, id: body.request_id ?? '', sid: tokens === null ? '' : accessOf(tokens.access).sid, device, code, tokens }
}

function change (line: string): string {
  const name = /^__Host-([a-z_]+)=/.exec(line)?.[1]
  return `${/; Max-Age=0(;|$)/.test(line) ? '-' : '+'}${name}`
}

export function accessOf (token: string): Access {
  const { sid, exp } = claimsOf(token) as unknown as Access
  return { sid, exp }
}

export function refreshOf (token: string): Refresh {
  const { sid, seq, exp } = claimsOf(token) as unknown as Refresh
  return { sid, seq, exp }
}
