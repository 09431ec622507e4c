import type { FastifyReply, FastifyRequest } from 'fastify'

/** A guard, for `onRequest` or `preHandler`. Always put it in an array. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** The session and the claims that a guard found for the request, besides `request.user`. */
export interface OtpAuthRequest {
  sessionId: string
  /** All claims of the access token. */
  claims: Readonly<Record<string, unknown>>
}

/** The tokens of one login. */
export interface IssuedTokens {
  accessToken: string
  refreshToken: string
  /** Seconds until the access token expires. */
  expiresIn: number
  sessionId: string
}

/** One live session of a user. */
export interface SessionInfo {
  id: string
  createdAt: Date
  /** When the refresh token was last replaced by a refresh (rotated); `null` before the first refresh. */
  refreshedAt: Date | null
  /** The latest possible end. Without a refresh within `refreshTokenLifetime`, the session ends earlier. */
  expiresAt: Date
}

/** How many rows a cleanup removed. */
export interface CleanupCount {
  challenges: number
  counters: number
  sessions: number
}

/** The functions of `app.otpAuth`. */
export interface OtpAuth {
  /**
   * Starts a session for a user whom your application has authenticated itself. It does not call `isAllowed` and does not
   * check `isVerified`. Rejects with `OTP_AUTH_RESERVED_CLAIM` or `OTP_AUTH_STORAGE_UNAVAILABLE`.
   *
   * @param user a row or document of the users table
   * @param reply if given, gets the refresh cookie, unless `refreshTokenDelivery` is `'body'`
   */
  issueTokens (user: object, reply?: FastifyReply): Promise<IssuedTokens>
  /**
   * Ends a session at once, in every process.
   * @returns whether this call ended it; `false` if the session is unknown or was revoked before
   */
  revokeSession (id: string): Promise<boolean>
  /**
   * Ends all sessions of a user.
   * @returns how many were ended, including expired sessions that have not been cleaned up yet
   */
  revokeAllSessions (userId: string | number | bigint): Promise<number>
  /** The live sessions of a user, newest first. */
  listSessions (userId: string | number | bigint): Promise<SessionInfo[]>
  /** Removes rows that expired more than an hour ago, in batches of at most 1,000, so that logins are not blocked. */
  cleanup (): Promise<CleanupCount>
}
