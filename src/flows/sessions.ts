import { SECOND } from '../core/duration.ts'
import type { Session, UserRecord } from '../storage/storage.ts'
import type { IssuedTokens, OtpAuthUser } from '../types.ts'
import type { Flow, HostRequest } from './flow.ts'

/** Tokens with what the cookies need to know of them. */
export interface SessionTokens extends IssuedTokens {
  userId: string
  /** Epoch milliseconds at which the refresh token ends. */
  refreshExpiresAt: number
}

export function isLive (session: Session, now: number): boolean {
  return session.revokedAt === null && session.idleExpiresAt > now && session.expiresAt > now
}

/** The host's own claims, asked for before anything is written, so that their failure costs nothing. */
export async function additionalClaims (
  { options }: Flow, user: object, request: HostRequest | undefined
): Promise<Record<string, unknown>> {
  return await options.getAdditionalClaims?.({ user: user as OtpAuthUser, request }) ?? {}
}

/** Starts a session: one row a login. */
export async function startSession (
  flow: Flow, user: Pick<UserRecord, 'id' | 'row'>, request: HostRequest | undefined
): Promise<SessionTokens> {
  const { options: { clock, random, refreshTokenLifetime, sessionLifetime }, storage } = flow
  const custom = await additionalClaims(flow, user.row, request)
  const createdAt = clock()
  const expiresAt = createdAt + sessionLifetime
  const session: Session = {
    id: random.bytes(16).toString('base64url'),
    userId: user.id,
    seq: 0,
    rotatedAt: null,
    createdAt,
    idleExpiresAt: Math.min(createdAt + refreshTokenLifetime, expiresAt),
    expiresAt,
    revokedAt: null
  }
  const tokens = withRefreshToken(flow, session, signAccess(flow, session, custom))
  await storage.insertSession(session)
  return tokens
}

type SignedAccess = Pick<SessionTokens, 'accessToken' | 'expiresIn'>

/** No step of the session is in it, so that it can be signed before a rotation: claims that cannot be signed cost nothing. */
export function signAccess ({ tokens, options }: Flow, session: Session, custom: Record<string, unknown>): SignedAccess {
  const now = options.clock()
  const expiresAt = Math.min(now + options.accessTokenLifetime, session.expiresAt)
  return {
    accessToken: tokens.signAccess({ userId: session.userId, sessionId: session.id, custom, expiresAt }),
    expiresIn: Math.floor((expiresAt - now) / SECOND)
  }
}

/** Both tokens of a session at its present step. */
export function withRefreshToken ({ tokens }: Flow, session: Session, access: SignedAccess): SessionTokens {
  const { userId, id: sessionId, seq, idleExpiresAt } = session
  const refreshToken = tokens.signRefresh({ userId, sessionId, seq, expiresAt: idleExpiresAt })
  return { ...access, userId, sessionId, refreshToken, refreshExpiresAt: idleExpiresAt }
}

/** Ends a session, in every process at once. @returns whether this call ended it */
export async function endSession (
  { storage, options, emit }: Flow, { userId, sessionId }: { userId: string, sessionId: string }, reason: 'logout' | 'replaced'
): Promise<boolean> {
  const ended = await storage.revokeSession({ id: sessionId, now: options.clock() })
  if (ended) emit({ type: 'session.ended', userId, sessionId, reason })
  return ended
}
