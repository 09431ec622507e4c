/** What every user has. */
export interface OtpAuthUserBase {
  id: string | number | bigint
  /** The normalized address. */
  email: string
  /** Whether a code sent to this address was ever entered. */
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
