import { isDeepStrictEqual, inspect } from 'node:util'
import type { InjectOptions } from 'fastify'
import { START } from '../../helpers/app.ts'
import { Browser, type Answer } from '../../helpers/browser.ts'
import { claimsOf } from '../../helpers/jwt.ts'
import { Model } from './model.ts'
import { emptyState, type Access, type Device, type Foretold, type Refresh, type State } from './state.ts'
import type { Crash, World } from './world.ts'

let runs = 0

/** Where so many states are possible already, no more processes die. */
const MANY = 40

/** A place that requests come from, and the network that it counts as. */
export interface Place {
  ip: string
  network: string
}

export interface Visitor {
  browser: Browser
  device: Device | null
}

/** What the model answers, with what the plugin drew at random. */
type Foretell = (model: Model, drawn: Observed) => Foretold

/**
 * One sequence against one database: addresses and networks that no other sequence has, and what was handed out so far.
 *
 * Where a process died it is not known how far it came, so there are several states that the database may be in; what is
 * answered later rules some of them out. A difference is an answer that none of them foretells.
 */
export class Run {
  readonly world: World
  readonly addresses: readonly string[]
  readonly places: readonly Place[]
  readonly visitors: readonly Visitor[]
  readonly ids: string[] = []
  readonly refreshTokens: string[] = []
  readonly accessTokens: string[] = []
  readonly #codes = new Map<string, string[]>()
  #states: State[] = [emptyState()]
  #lost = 0

  constructor (world: World) {
    const run = ++runs
    Object.assign(world, { now: START, mailer: 'works', emails: [] })
    world.banned.clear()
    this.world = world
    this.addresses = [`anna-${run}@example.com`, `anna-${run}+shop@example.com`, `bert-${run}@example.com`]
    const [high, low] = [run >> 8, run & 255]
    this.places = [
      { ip: `10.${high}.${low}.1`, network: 'office' },
      { ip: `::ffff:10.${high}.${low}.254`, network: 'office' },
      { ip: `11.${high}.${low}.1`, network: 'home' },
      { ip: `2001:db8:${run.toString(16)}:ab01::1`, network: 'phone' },
      { ip: `2001:db8:${run.toString(16)}:abff:1::1`, network: 'phone' },
      { ip: `12.${high}.${low}.1`, network: 'hotel' }
    ]
    this.visitors = Array.from({ length: 3 }, () => ({ browser: new Browser(world.app, ''), device: null }))
  }

  /** The codes that were mailed to an address, oldest first. */
  codesOf (address: string): string[] {
    const known = this.#codes.get(address) ?? []
    this.#codes.set(address, known)
    return known
  }

  /** Something that the host sees or does, or that all do alike. @throws where no state foretells it */
  look (seen: unknown, foretell: (model: Model) => unknown): void {
    this.#keep(seen, (state) => {
      const foretold = foretell(new Model(state, this.world.now, () => {}))
      return { foretold, states: isDeepStrictEqual(foretold, seen) ? [state] : [] }
    })
  }

  /** Sends a request and compares the answer. @throws where no state foretells it */
  async send (visitor: Visitor, request: InjectOptions, crash: Crash | null, foretell: Foretell): Promise<Observed> {
    const { world } = this
    world.emails = []
    const { result: answer, crashed } = await world.crashing(this.#states.length < MANY ? crash : null, () => visitor.browser.send(request))
    const mail = world.emails[0]
    if (mail !== undefined) this.codesOf(mail.email).push(mail.code)
    const observed = observe(answer, visitor, this.#mailed(), mail?.code ?? null)
    if (crashed) this.#crashed(observed, foretell)
    else {
      this.#keep(observed.seen, (state) => {
        const foretold = foretell(new Model(state, world.now, () => {}), observed)
        return { foretold, states: isDeepStrictEqual(foretold, observed.seen) ? [state] : [] }
      })
    }
    return observed
  }

  #mailed (): Foretold['mail'] {
    const { emails } = this.world
    if (emails.length > 1) throw new Error('more than one mail')
    const [mail] = emails
    if (mail === undefined) return null
    return { to: mail.email, length: mail.code.length, isNewUser: mail.isNewUser!, until: mail.expiresAt.getTime() }
  }

  /** The caller heard nothing, and the database holds what was written up to some point. */
  #crashed (observed: Observed, foretell: Foretell): void {
    const { status, cookies, mail } = observed.seen
    if (status !== 503 || cookies.length > 0) throw new Error(`a process that died answered ${inspect(observed.seen)}`)
    const hasMailed = mail !== null
    const lost: Observed = { ...observed, id: `lost ${++this.#lost}`, sid: `lost ${this.#lost}` }
    this.#keep(observed.seen, (state) => {
      const states = hasMailed ? [] : [structuredClone(state)]
      const foretold = foretell(new Model(state, this.world.now, (mailed) => {
        if (mailed === hasMailed) states.push(structuredClone(state))
      }), lost)
      return { foretold, states }
    })
  }

  #keep (seen: unknown, step: (state: State) => { foretold: unknown, states: State[] }): void {
    const tried = this.#states.map((state) => step(structuredClone(state)))
    const states = new Map(tried.flatMap(({ states }) => states).map((state) => [JSON.stringify(state), state]))
    if (states.size === 0) {
      throw new Error(`foretold ${inspect(tried[0]!.foretold, { depth: 5 })}\nand seen ${inspect(seen, { depth: 5 })}` +
        (tried.length > 1 ? `\n(the first of ${tried.length} states that the crashes before allow)` : ''))
    }
    this.#states = [...states.values()]
  }
}

export interface Observed {
  seen: Foretold
  /** What the plugin drew at random. */
  id: string
  sid: string
  device: string
  code: string | null
  tokens: { access: string, refresh: string } | null
}

const FIELDS = ['request_id', 'expires_in', 'resend_after', 'code_length', 'email', 'attemptsRemaining', 'retryAfter']

/** An answer in the words of the model. */
function observe (
  { status, body, headers, setCookies }: Answer, { browser, device: before }: Visitor, mail: Foretold['mail'], code: string | null
): Observed {
  const seen: Foretold = { status, cookies: setCookies.map(change), mail }
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
