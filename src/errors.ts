import createError from '@fastify/error'

/** The code of Fastify's own response to a body that does not match the schema. */
const VALIDATION = 'FST_ERR_VALIDATION'

/** Every error code of this plugin, in the field `code` of an error or response body. */
export type OtpAuthErrorCode =
  | 'OTP_AUTH_INVALID_OPTION'
  | 'OTP_AUTH_CONFLICT'
  | 'OTP_AUTH_RESERVED_CLAIM'
  | 'OTP_AUTH_INVALID_CODE'
  | 'OTP_AUTH_TOO_MANY_ATTEMPTS'
  | 'OTP_AUTH_TOO_MANY_REQUESTS'
  | 'OTP_AUTH_DELIVERY_FAILED'
  | 'OTP_AUTH_USER_CREATION_FAILED'
  | 'OTP_AUTH_UNAUTHENTICATED'
  | 'OTP_AUTH_INVALID_TOKEN'
  | 'OTP_AUTH_NOT_VERIFIED'
  | 'OTP_AUTH_INVALID_REFRESH_TOKEN'
  | 'OTP_AUTH_CROSS_SITE'
  | 'OTP_AUTH_STORAGE_UNAVAILABLE'

/** {@link createError}, for the codes of the union only. */
const create = (code: OtpAuthErrorCode | typeof VALIDATION, message: string, status: number, base?: typeof TypeError) =>
  createError(code, message, status, base)

const InvalidOption = create('OTP_AUTH_INVALID_OPTION', 'fastify-otp-auth: %s', 500, TypeError)
export const invalidOption = (message: string): Error => new InvalidOption(message)

const Conflict = create('OTP_AUTH_CONFLICT', 'fastify-otp-auth: %s', 500)
export const conflict = (message: string): Error => new Conflict(message)

const ReservedClaim = create('OTP_AUTH_RESERVED_CLAIM', 'getAdditionalClaims must not set the reserved claim "%s". Give it another name', 500)
export const reservedClaim = (name: string): OtpAuthError => new ReservedClaim(name)

/** Fields that some errors add to the response body. */
export interface ErrorFields {
  /** Attempts left for this code. Only for a wrong code that was sent with the request ID of a live challenge. */
  attemptsRemaining?: number
  /** Seconds until an attempt can succeed. */
  retryAfter?: number
}

/** The names of all {@link ErrorFields}. The compiler demands that the list is complete, so that no field gets lost. */
export const ERROR_FIELDS = Object.keys({
  attemptsRemaining: true, retryAfter: true
} satisfies Record<keyof ErrorFields, true>) as Array<keyof ErrorFields>

/** An error of this plugin on its way to the client. `headers` are set on the response. */
export interface OtpAuthError extends Error, ErrorFields {
  statusCode?: number
  headers?: Record<string, string>
}

function withExtras (error: OtpAuthError, fields: ErrorFields, headers?: Record<string, string>): OtpAuthError {
  return Object.assign(error, fields, headers && { headers })
}

const InvalidEmail = create(VALIDATION, 'body/email %s', 400)
/**
 * An address that was refused. The error has the shape of Fastify's own validation errors, so that your application's error
 * handler can treat both alike.
 *
 * @param reason completes the sentence "body/email …"
 */
export function invalidEmail (reason: string): OtpAuthError {
  return Object.assign(new InvalidEmail(reason), {
    validation: [{ keyword: 'email', instancePath: '/email', schemaPath: '#/properties/email', params: {}, message: reason }],
    validationContext: 'body'
  })
}

const InvalidCode = create('OTP_AUTH_INVALID_CODE', 'The code is wrong or no longer valid', 401)
/**
 * One error for wrong, expired, used and unknown codes. Only an attempt with the request ID of a live challenge gets
 * `attemptsRemaining`.
 */
export function invalidCode (attemptsRemaining?: number): OtpAuthError {
  return withExtras(new InvalidCode(), attemptsRemaining === undefined ? {} : { attemptsRemaining })
}

const TooManyAttempts = create('OTP_AUTH_TOO_MANY_ATTEMPTS', 'Too many wrong codes for this request. Request a new code', 429)
export const tooManyAttempts = (): OtpAuthError => new TooManyAttempts()

const TooManyRequests = create('OTP_AUTH_TOO_MANY_REQUESTS', 'Too many requests. Try again in %s seconds', 429)
/** @param wait milliseconds until an attempt can succeed; sent as whole seconds, at least one (RFC 9110, section 10.2.3) */
export function tooManyRequests (wait: number): OtpAuthError {
  const retryAfter = Math.max(1, Math.ceil(wait / 1000))
  return withExtras(new TooManyRequests(retryAfter), { retryAfter }, { 'retry-after': String(retryAfter) })
}

const DeliveryFailed = create('OTP_AUTH_DELIVERY_FAILED', 'The code could not be sent. Try again', 503)
export const deliveryFailed = (): OtpAuthError => new DeliveryFailed()

const UserCreationFailed = create('OTP_AUTH_USER_CREATION_FAILED', 'The account could not be created', 500)
export const userCreationFailed = (cause: Error): OtpAuthError => Object.assign(new UserCreationFailed(), { cause })

const Unauthenticated = create('OTP_AUTH_UNAUTHENTICATED', 'Authentication is required', 401)
/** RFC 6750, section 3.1: if the request has no credentials, the `WWW-Authenticate` header contains no error code. */
export const unauthenticated = (): OtpAuthError => withExtras(new Unauthenticated(), {}, { 'www-authenticate': 'Bearer' })

const InvalidToken = create('OTP_AUTH_INVALID_TOKEN', 'The access token is invalid or its session has ended', 401)
export const invalidToken = (): OtpAuthError =>
  withExtras(new InvalidToken(), {}, { 'www-authenticate': 'Bearer error="invalid_token"' })

const NotVerified = create('OTP_AUTH_NOT_VERIFIED', 'A verified email address is required', 403)
export const notVerified = (): OtpAuthError => new NotVerified()

const InvalidRefreshToken = create('OTP_AUTH_INVALID_REFRESH_TOKEN', 'The refresh token is invalid or its session has ended. Log in again', 401)
export const invalidRefreshToken = (): OtpAuthError => new InvalidRefreshToken()

const CrossSite = create('OTP_AUTH_CROSS_SITE', 'The request comes from another site. To allow it, add its origin to the option trustedOrigins', 403)
export const crossSite = (): OtpAuthError => new CrossSite()

const StorageUnavailable = create('OTP_AUTH_STORAGE_UNAVAILABLE', 'The service is temporarily unavailable. Try again', 503)
export const storageUnavailable = (cause: Error): OtpAuthError => Object.assign(new StorageUnavailable(), { cause })

export function isOtpAuthError (error: unknown): error is OtpAuthError {
  return String((error as { code?: unknown } | null | undefined)?.code).startsWith('OTP_AUTH_')
}
