import { done, refused } from './answers.ts'
import { grace, settings } from './settings.ts'
import type { Access, Expected, Refresh, Session, State } from './state.ts'

/** The sessions of the model. */
export class Sessions {
  readonly state: State
  readonly now: number
  readonly #wrote: (hasSent: boolean) => void
  protected hasSent = false

  /** @param wrote called after each write, because a process can die there */
  constructor (state: State, now: number, wrote: (hasSent: boolean) => void) {
    this.state = state
    this.now = now
    this.#wrote = wrote
  }

  protected write<T> (result: T): T {
    this.#wrote(this.hasSent)
    return result
  }

  /** Starts a session, by a login or by the application. */
  start (address: string, made: string): object {
    const { state, now } = this
    const sid = made in state.sessions ? 'a fresh one' : made
    const until = now + settings.sessionLifetime * 1000
    const idleUntil = now + settings.refreshTokenLifetime * 1000
    const session = { address, seq: 0, rotatedAt: null, startedAt: now, idleUntil, until, isRevoked: false }
    state.sessions[sid] = session
    this.write(null)
    return this.#tokens(sid, session)
  }

  refresh (token: Refresh | null): Expected {
    const { state, now } = this
    const invalid = refused(401, 'INVALID_REFRESH_TOKEN')
    if (token === null || token.exp * 1000 <= now) return invalid
    const session = state.sessions[token.sid]!
    if (!this.#isLive(session)) return invalid
    const inGrace = session.rotatedAt !== null && now - session.rotatedAt <= grace
    if (token.seq !== session.seq && !(inGrace && token.seq === session.seq - 1)) {
      this.revoke(token.sid)
      return invalid
    }
    if (state.banned.includes(session.address)) return invalid
    if (!inGrace) {
      const idleUntil = Math.min(now + settings.refreshTokenLifetime * 1000, session.until)
      this.write(Object.assign(session, { seq: session.seq + 1, rotatedAt: now, idleUntil }))
    }
    return done(this.#tokens(token.sid, session), ['+refresh_token'])
  }

  logout (tokens: Array<Refresh | Access | null>) {
    for (const token of tokens) if (token !== null) this.revoke(token.sid)
    return done({}, ['-refresh_token'])
  }

  guarded (token: Access | null, guard: '/me' | '/verified') {
    if (token === null) return refused(401, 'UNAUTHENTICATED')
    const session = this.state.sessions[token.sid]!
    if (token.exp * 1000 <= this.now || !this.#isLive(session)) return refused(401, 'INVALID_TOKEN')
    const { isVerified } = this.state.users[session.address]!
    return guard === '/verified' && !isVerified ? refused(403, 'NOT_VERIFIED') : done({ email: session.address })
  }

  /** What the application sees of an account. */
  account (address: string): object {
    const mine = Object.values(this.state.sessions).filter((session) => session.address === address && this.#isLive(session))
    return { isVerified: this.state.users[address]?.isVerified ?? null, sessions: mine.length }
  }

  #tokens (sid: string, { seq, idleUntil, until }: Session): object {
    const accessUntil = Math.min(this.now + settings.accessTokenLifetime * 1000, until)
    return {
      access: { sid, exp: Math.floor(accessUntil / 1000) },
      refresh: { sid, seq, exp: Math.floor(idleUntil / 1000) },
      expires_in: Math.floor((accessUntil - this.now) / 1000)
    }
  }

  #isLive = ({ isRevoked, idleUntil, until }: Session) => !isRevoked && idleUntil > this.now && until > this.now
  protected revoke = (sid: string) => this.write(Object.assign(this.state.sessions[sid]!, { isRevoked: true }))
}
