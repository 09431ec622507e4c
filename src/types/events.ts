import type { RouteName } from './routes.ts'

/**
 * Something that happened. No event contains a code, a token, a cookie or an address. `emailHash` is a hash of the address
 * and of the option `name`. It is the same in every event of one account.
 */
export type OtpAuthEvent =
  /** A code was created. This event also comes if the code is not sent because of `autoCreateUser` or `isAllowed`. */
  | { type: 'otp.requested', emailHash: string, codeLength: number }
  /**
   * No code was created: the cooldown had not ended, a send limit was reached, or a failure limit was reached and
   * `onFailureLimit` is `'refuse'`. The cooldown is reported as `'send-limit'`.
   */
  | { type: 'otp.refused', emailHash: string, reason: 'send-limit' | 'failure-limit' }
  /** A code logged a user in. `isNewUser` is `true` if this login verified the address for the first time. */
  | { type: 'otp.verified', emailHash: string, userId: string, sessionId: string, isNewUser: boolean }
  /** A code was compared and was wrong. Both counts include this failure. */
  | { type: 'otp.failed', emailHash: string, failuresInDay: number, consecutiveFailures: number }
  /** This failure was the last one that the failure limits allow. */
  | { type: 'failure-limit.reached', emailHash: string }
  /** `sendOtp` rejected, or took longer than `deliveryTimeout`. */
  | { type: 'delivery.failed', emailHash: string, reason: 'rejected' | 'timeout' }
  /** A refresh succeeded. Parallel refreshes within the grace period raise one event each. */
  | { type: 'session.refreshed', userId: string, sessionId: string }
  /** A session ended by logout, or because its browser logged in again. */
  | { type: 'session.ended', userId: string, sessionId: string, reason: 'logout' | 'replaced' }
  /** A refresh token was used again after it had been replaced, so its session was ended. The token may have been stolen. */
  | { type: 'refresh-token.reused', userId: string, sessionId: string }
  /** An IP address (IPv6: a /64) exceeded a rate limit. Raised once per window. Fastify's request log has the address. */
  | { type: 'ip-limit.reached', route: RouteName }
