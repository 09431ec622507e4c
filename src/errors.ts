import createError from '@fastify/error'

/** What Fastify itself answers where a body is not what the schema says. */
const VALIDATION = 'FST_ERR_VALIDATION'

export const InvalidOption = createError('OTP_AUTH_INVALID_OPTION', 'fastify-otp-auth: %s', 500, TypeError)
export const Conflict = createError('OTP_AUTH_CONFLICT', 'fastify-otp-auth: %s', 500)
export const ReservedClaim = createError('OTP_AUTH_RESERVED_CLAIM',
  'getAdditionalClaims must not set the reserved claim "%s"; give it another name', 500)

const InvalidEmailError = createError(VALIDATION, 'body/email %s', 400)
const InvalidCodeError = createError('OTP_AUTH_INVALID_CODE', 'The code is wrong or no longer valid', 401)
const TooManyAttemptsError = createError('OTP_AUTH_TOO_MANY_ATTEMPTS', 'Too many wrong codes for this request; ask for a new code', 429)
const TooManyRequestsError = createError('OTP_AUTH_TOO_MANY_REQUESTS', 'Too many requests; try again in %s seconds', 429)
const DeliveryFailedError = createError('OTP_AUTH_DELIVERY_FAILED', 'The code could not be sent; try again', 503)
const UserCreationFailedError = createError('OTP_AUTH_USER_CREATION_FAILED', 'The account could not be created', 500)
const UnauthenticatedError = createError('OTP_AUTH_UNAUTHENTICATED', 'Authentication is required', 401)
const InvalidTokenError = createError('OTP_AUTH_INVALID_TOKEN', 'The access token is invalid or has ended', 401)
const NotVerifiedError = createError('OTP_AUTH_NOT_VERIFIED', 'A verified e-mail address is required', 403)
const InvalidRefreshTokenError = createError('OTP_AUTH_INVALID_REFRESH_TOKEN', 'The refresh token is invalid or has ended; log in again', 401)
const CrossSiteError = createError('OTP_AUTH_CROSS_SITE', 'Requests from another site are refused, unless the option trustedOrigins names its origin', 403)
const StorageUnavailableError = createError('OTP_AUTH_STORAGE_UNAVAILABLE', 'The service is temporarily unavailable; try again', 503)

/** An error of ours on its way to the client: `headers` are sent with it, the other extras stand in its body. */
export interface AnswerError extends Error {
  statusCode?: number
  headers?: Record<string, string>
  attemptsRemaining?: number
  retryAfter?: number
}

/** `reason` completes the sentence "body/email …". Shaped as Fastify's own validation errors are, for the host's handlers. */
export function invalidEmail (reason: string): AnswerError {
  return Object.assign(new InvalidEmailError(reason), {
    validation: [{ keyword: 'email', instancePath: '/email', schemaPath: '#/properties/email', params: {}, message: reason }],
    validationContext: 'body'
  })
}

/** One answer for wrong, expired, used and unknown; the count only for guesses bound to a live request. */
export function invalidCode (attemptsRemaining?: number): AnswerError {
  const error: AnswerError = new InvalidCodeError()
  return attemptsRemaining === undefined ? error : Object.assign(error, { attemptsRemaining })
}

export const tooManyAttempts = (): AnswerError => new TooManyAttemptsError()

/** @param wait milliseconds until a try can succeed; told in whole seconds, at least one (RFC 9110, section 10.2.3) */
export function tooManyRequests (wait: number): AnswerError {
  const retryAfter = Math.max(1, Math.ceil(wait / 1000))
  return Object.assign(new TooManyRequestsError(retryAfter), { retryAfter, headers: { 'retry-after': String(retryAfter) } })
}

export const deliveryFailed = (): AnswerError => new DeliveryFailedError()
export const userCreationFailed = (cause: Error): AnswerError => Object.assign(new UserCreationFailedError(), { cause })

/** RFC 6750, section 3.1: without credentials the challenge says nothing more. */
export const unauthenticated = (): AnswerError =>
  Object.assign(new UnauthenticatedError(), { headers: { 'www-authenticate': 'Bearer' } })

export const invalidToken = (): AnswerError =>
  Object.assign(new InvalidTokenError(), { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })

export const notVerified = (): AnswerError => new NotVerifiedError()
export const invalidRefreshToken = (): AnswerError => new InvalidRefreshTokenError()
export const crossSite = (): AnswerError => new CrossSiteError()
export const storageUnavailable = (cause: Error): AnswerError => Object.assign(new StorageUnavailableError(), { cause })

export function isOurs (error: unknown): error is AnswerError {
  return String((error as { code?: unknown } | null | undefined)?.code).startsWith('OTP_AUTH_')
}

/**
 * What the driver said, for the log: the innermost message and code alone. The layers above it quote the statement with
 * its parameters, which are addresses and MACs.
 */
export function withoutValues (error: unknown): Error {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  const { message, code } = innermost instanceof Error ? innermost as Error & { code?: unknown } : { message: String(innermost) }
  // In the message, for a logger that follows causes prints their messages alone.
  return new Error(code === undefined ? message : `${message} (${String(code)})`)
}
