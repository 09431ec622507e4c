import { randomId } from '../core/clock-and-random.ts'
import { SECOND } from '../core/duration.ts'
import type { Session, UserRecord } from '../storage/contract.ts'
import type { IssuedTokens } from '../types/decorators.ts'
import type { OtpAuthUser } from '../types/user.ts'
import type { AppRequest, Services } from './services.ts'

/** The tokens of a session, with the values that the cookies need. */
export interface SessionTokens extends IssuedTokens {
  userId: string
  /** When the refresh token expires, in epoch milliseconds. */
  refreshExpiresAt: number
}

export function isLive (session: Session, now: number): boolean {
  return session.revokedAt === null && session.idleExpiresAt > now && session.expiresAt > now
}

/** The application's own claims. Call this before anything is written, so that an error in the callback has no side effects. */
export async function getCustomClaims (
  { options }: Services, user: object, request: AppRequest | undefined
): Promise<Record<string, unknown>> {
  return await options.getAdditionalClaims?.({ user: user as OtpAuthUser, request }) ?? {}
}

/** Starts a session. Each login stores one row. */
export async function startSession (
  services: Services, user: Pick<UserRecord, 'id' | 'row'>, request: AppRequest | undefined
): Promise<SessionTokens> {
  const { options: { clock, random, refreshTokenLifetime, sessionLifetime }, storage } = services
  const custom = await getCustomClaims(services, user.row, request)
  const createdAt = clock()
  const expiresAt = createdAt + sessionLifetime
  const session: Session = {
    id: randomId(random),
    userId: user.id,
    seq: 0,
    rotatedAt: null,
    createdAt,
    idleExpiresAt: Math.min(createdAt + refreshTokenLifetime, expiresAt),
    expiresAt,
    revokedAt: null
  }
  const tokens = withRefreshToken(services, session, signAccess(services, session, custom))
  await storage.insertSession(session)
  return tokens
}

type SignedAccess = Pick<SessionTokens, 'accessToken' | 'expiresIn'>

/**
 * Signs an access token. It does not contain the session's sequence number, so it can be signed before the refresh token is
 * rotated. So claims that cannot be signed do not use up the refresh token.
 */
export function signAccess ({ tokens, options }: Services, session: Session, custom: Record<string, unknown>): SignedAccess {
  const now = options.clock()
  const expiresAt = Math.min(now + options.accessTokenLifetime, session.expiresAt)
  return {
    accessToken: tokens.signAccess({ userId: session.userId, sessionId: session.id, custom, expiresAt }),
    expiresIn: Math.floor((expiresAt - now) / SECOND)
  }
}

/** Adds the refresh token with the current sequence number of the session. */
export function withRefreshToken ({ tokens }: Services, session: Session, access: SignedAccess): SessionTokens {
  const { userId, id: sessionId, seq, idleExpiresAt } = session
  const refreshToken = tokens.signRefresh({ userId, sessionId, seq, expiresAt: idleExpiresAt })
  return { ...access, userId, sessionId, refreshToken, refreshExpiresAt: idleExpiresAt }
}

/** Ends a session in every process at once. @returns whether this call ended it */
export async function endSession (
  { storage, options, emit }: Services, { userId, sessionId }: { userId: string, sessionId: string }, reason: 'logout' | 'replaced'
): Promise<boolean> {
  const ended = await storage.revokeSession({ id: sessionId, now: options.clock() })
  if (ended) emit({ type: 'session.ended', userId, sessionId, reason })
  return ended
}
