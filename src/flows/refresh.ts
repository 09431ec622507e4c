import { invalidRefreshToken } from '../errors.ts'
import type { Session, UserRecord } from '../storage/storage.ts'
import { isAllowed, type Flow, type HostRequest } from './flow.ts'
import { additionalClaims, isLive, signAccess, withRefreshToken, type SessionTokens } from './sessions.ts'

/**
 * Renews the tokens of a session. Everything that can fail comes first and the rotation last, so that a failure on the
 * way leaves the client's token good.
 *
 * Within `refreshGracePeriod` of a rotation the current step, and the one before, get the current step again: parallel
 * tabs and a lost answer log nobody out. Any other step is a stolen token, or its owner's beside the thief's: the session
 * ends for both (RFC 9700, section 4.14.2).
 *
 * @throws invalidRefreshToken
 */
export async function refresh (flow: Flow, token: string | undefined, request: HostRequest): Promise<SessionTokens> {
  const presented = token === undefined ? null : flow.tokens.verifyRefresh(token)
  if (presented === null) throw invalidRefreshToken()
  // The grace counts from here: how long the host's own callbacks take is not the client's fault.
  const arrivedAt = flow.options.clock()
  const { session, user } = await loadLive(flow, presented)
  if (!isExpected(flow, session, presented.seq, arrivedAt)) return await endStolen(flow, session)
  if (!await isAllowed(flow, user.email, user.row, request, 'refresh')) throw invalidRefreshToken()
  const access = signAccess(flow, session, await additionalClaims(flow, user.row, request))
  const current = await rotate(flow, session, presented.seq, arrivedAt)
  const tokens = withRefreshToken(flow, current, access)
  flow.emit({ type: 'session.refreshed', userId: session.userId, sessionId: session.id })
  return tokens
}

async function loadLive (flow: Flow, keys: { sessionId: string, userId: string }): Promise<{ session: Session, user: UserRecord }> {
  const loaded = await flow.storage.loadSession(keys)
  if (loaded === null || !isLive(loaded.session, flow.options.clock())) throw invalidRefreshToken()
  return loaded
}

/** The last rotation is so near that the step before the current one may still be on its way. */
function isInGrace ({ options }: Flow, { rotatedAt }: Session, arrivedAt: number): boolean {
  return arrivedAt - (rotatedAt ?? -Infinity) <= options.refreshGracePeriod
}

function isExpected (flow: Flow, session: Session, seq: number, arrivedAt: number): boolean {
  return seq === session.seq || (seq === session.seq - 1 && isInGrace(flow, session, arrivedAt))
}

/** Advances the session, at most once a grace period whoever else tries, and returns it at its present step. */
async function rotate (flow: Flow, session: Session, seq: number, arrivedAt: number): Promise<Session> {
  if (isInGrace(flow, session, arrivedAt)) return session
  const { storage, options: { clock, refreshGracePeriod, refreshTokenLifetime } } = flow
  const now = clock()
  const idleExpiresAt = Math.min(now + refreshTokenLifetime, session.expiresAt)
  const rotatedBefore = now - refreshGracePeriod
  if (await storage.rotateSession({ id: session.id, seq, now, rotatedBefore, idleExpiresAt })) {
    return { ...session, seq: seq + 1, idleExpiresAt }
  }
  // Another tab was faster, or a logout, which wins.
  const { session: current } = await loadLive(flow, { sessionId: session.id, userId: session.userId })
  return isExpected(flow, current, seq, arrivedAt) ? current : await endStolen(flow, current)
}

async function endStolen ({ storage, options, emit }: Flow, { id, userId }: Session): Promise<never> {
  const ended = await storage.revokeSession({ id, now: options.clock() })
  if (ended) emit({ type: 'session.theft', userId, sessionId: id })
  throw invalidRefreshToken()
}
