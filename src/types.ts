import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RouteName } from './option-types.ts'

/** What every user has. */
export interface OtpAuthUserBase {
  id: string | number | bigint
  /** The normalised address. */
  email: string
  /** Whether a code sent to the address was ever entered. */
  isVerified: boolean
}

/**
 * The type of `request.user`. Merge your own columns into it, and narrow the inherited ones:
 *
 * ```ts
 * declare module 'fastify-otp-auth' {
 *   interface OtpAuthUser { id: number, company: string | null }
 * }
 * ```
 */
export interface OtpAuthUser extends OtpAuthUserBase {}

/** The type of `request.customClaims`: merge in what your `getAdditionalClaims` returns. */
export interface OtpAuthClaims {}

/**
 * Something that happened. No event holds a code, a token, a cookie or an address: `subject` is a hash of the address and of
 * the option `name`, the same in each event of one account.
 */
export type OtpAuthEvent =
  /** A code was made; also where, by `autoCreateUser` or `isAllowed`, none is mailed. */
  | { type: 'otp.requested', subject: string, codeLength: number }
  /** No code was made: within the cool-down or beyond a send budget, or past a failure budget with `onFailureBudget: 'refuse'`. */
  | { type: 'otp.refused', subject: string, reason: 'send-budget' | 'failure-budget' }
  /** A code logged somebody in. */
  | { type: 'otp.verified', subject: string, userId: string, sessionId: string, isNewUser: boolean }
  /** A guess was compared and did not fit; with the counts, this one included. */
  | { type: 'otp.failed', subject: string, failuresInDay: number, failuresInARow: number }
  /** That failure was the last that the failure budget has. */
  | { type: 'failure-budget.spent', subject: string }
  /** `sendOtp` rejected, or took longer than `deliveryTimeout`. */
  | { type: 'delivery.failed', subject: string, reason: 'rejected' | 'timeout' }
  /** A refresh was answered: each of those, too, that parallel tabs made within the grace period. */
  | { type: 'session.refreshed', userId: string, sessionId: string }
  /** By a logout, or because its browser logged in anew. */
  | { type: 'session.ended', userId: string, sessionId: string, reason: 'logout' | 'replaced' }
  /** A refresh token came back that had been replaced, and its session was ended. */
  | { type: 'session.theft', userId: string, sessionId: string }
  /** Once for each IP address (IPv6: /64) that passes a limit, and each of its windows; Fastify's request log has the address. */
  | { type: 'ip.limited', route: RouteName }

/** Tokens of one login. */
export interface IssuedTokens {
  accessToken: string
  refreshToken: string
  /** Seconds until the access token ends. */
  expiresIn: number
  sessionId: string
}

/** One live login of a user. */
export interface SessionInfo {
  id: string
  createdAt: Date
  /** The last rotation of its refresh token; null before the first. */
  refreshedAt: Date | null
  /** The end, whatever happens; without a refresh within `refreshTokenLifetime` it ends before. */
  expiresAt: Date
}

/** How many rows a cleanup removed. */
export interface CleanupCount {
  challenges: number
  budgets: number
  sessions: number
}

/** The programmatic side: `app.otpAuth`. */
export interface OtpAuth {
  /**
   * Starts a session for a user that the host has authenticated by itself: `isAllowed` is not asked and `isVerified` not
   * looked at. Rejects with `OTP_AUTH_RESERVED_CLAIM` or `OTP_AUTH_STORAGE_UNAVAILABLE`.
   *
   * @param user a row or document of the users table
   * @param reply where given, the refresh cookie is set on it as `refreshTokenDelivery` says
   */
  issueTokens (user: object, reply?: FastifyReply): Promise<IssuedTokens>
  /** Ends a session at once, in every process. @returns whether this call ended it; false where it is unknown or was revoked before */
  revokeSession (id: string): Promise<boolean>
  /** Ends all sessions of a user. @returns how many, those included that had expired and were not cleaned up */
  revokeAllSessions (userId: string | number | bigint): Promise<number>
  /** The live sessions of a user, newest first. */
  listSessions (userId: string | number | bigint): Promise<SessionInfo[]>
  /** Removes what has been over for an hour, in batches of at most 1,000 rows, while logins go on. */
  cleanup (): Promise<CleanupCount>
}

/** What a guard knows of the request, beside `request.user`. */
export interface OtpAuthRequest {
  sessionId: string
  /** All claims of the access token. */
  claims: Readonly<Record<string, unknown>>
}

/** A guard, for `onRequest` or `preHandler`; always in an array. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>
