import { invalidRefreshToken } from '../errors.ts'
import { isAllowed } from '../services/access.ts'
import { getCustomClaims, isLive, signAccess, withRefreshToken, type SessionTokens } from '../services/sessions.ts'
import type { AppRequest, Services } from '../services/services.ts'
import type { Session, UserRecord } from '../storage/contract.ts'

/**
 * Exchanges a refresh token for new tokens.
 *
 * The rotation is the last step. If anything fails before it, the client can try again with the same token.
 *
 * During `refreshGracePeriod` after a rotation, the current and the previous refresh token both return the current one, so
 * parallel tabs and lost responses do not log anyone out. After it, only the current token is accepted. Any other token was
 * replaced earlier, so a copy of it may be in use: the session is revoked (RFC 9700, section 4.14.2).
 *
 * @throws OTP_AUTH_INVALID_REFRESH_TOKEN
 */
export async function refresh (services: Services, token: string | undefined, request: AppRequest): Promise<SessionTokens> {
  const presented = token === undefined ? null : services.tokens.verifyRefresh(token)
  if (presented === null) throw invalidRefreshToken()
  // The grace period is checked against the time of arrival, so that slow callbacks of the application cannot make the token
  // too late.
  const arrivedAt = services.options.clock()
  const { session, user } = await loadLive(services, presented)
  if (!isAcceptedSeq(services, session, presented.seq, arrivedAt)) {
    await revokeReused(services, session)
    throw invalidRefreshToken()
  }
  if (!await isAllowed(services, user.email, user.row, request, 'refresh')) throw invalidRefreshToken()
  const access = signAccess(services, session, await getCustomClaims(services, user.row, request))
  const current = await rotate(services, session, presented.seq, arrivedAt)
  const tokens = withRefreshToken(services, current, access)
  services.emit({ type: 'session.refreshed', userId: session.userId, sessionId: session.id })
  return tokens
}

/** @throws OTP_AUTH_INVALID_REFRESH_TOKEN if the session or its user is missing, or the session is revoked or expired */
async function loadLive (services: Services, keys: { sessionId: string, userId: string }): Promise<{ session: Session, user: UserRecord }> {
  const loaded = await services.storage.loadSession(keys)
  if (loaded === null || !isLive(loaded.session, services.options.clock())) throw invalidRefreshToken()
  return loaded
}

/** Whether the last rotation was so recent that a client may still send the previous token. */
function isInGracePeriod ({ options }: Services, { rotatedAt }: Session, arrivedAt: number): boolean {
  return arrivedAt - (rotatedAt ?? -Infinity) <= options.refreshGracePeriod
}

function isAcceptedSeq (services: Services, session: Session, seq: number, arrivedAt: number): boolean {
  return seq === session.seq || (seq === session.seq - 1 && isInGracePeriod(services, session, arrivedAt))
}

/**
 * Rotates the session, at most once per grace period, however many calls try at once.
 *
 * @returns the session with its current sequence number
 */
async function rotate (services: Services, session: Session, seq: number, arrivedAt: number): Promise<Session> {
  if (isInGracePeriod(services, session, arrivedAt)) return session
  const { storage, options: { clock, refreshGracePeriod, refreshTokenLifetime } } = services
  const now = clock()
  const idleExpiresAt = Math.min(now + refreshTokenLifetime, session.expiresAt)
  const rotatedBefore = now - refreshGracePeriod
  if (await storage.rotateSession({ id: session.id, seq, now, rotatedBefore, idleExpiresAt })) {
    return { ...session, seq: seq + 1, idleExpiresAt }
  }
  // Another call rotated the session first, or the session was revoked. If it was revoked, `loadLive` refuses the token.
  const { session: current } = await loadLive(services, { sessionId: session.id, userId: session.userId })
  if (isAcceptedSeq(services, current, seq, arrivedAt)) return current
  await revokeReused(services, current)
  throw invalidRefreshToken()
}

/** Revokes a session whose refresh token was used again after it had been replaced. */
async function revokeReused ({ storage, options, emit }: Services, { id, userId }: Session): Promise<void> {
  const ended = await storage.revokeSession({ id, now: options.clock() })
  if (ended) emit({ type: 'refresh-token.reused', userId, sessionId: id })
}
