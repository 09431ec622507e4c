import { Type, type Static, type TObject, type TProperties, type TSchema } from '@sinclair/typebox'

/** In bytes: no body of ours is larger than a refresh token and an address. */
export const BODY_LIMIT = 8 * 1024

const closed = { additionalProperties: false }

const Email = Type.String({ minLength: 3, maxLength: 320, description: 'The address; upper and lower case do not matter.' })
const RequestId = Type.String({ maxLength: 64, description: 'The id that /request-otp gave; the request cookie holds it, too.' })
const RefreshTokenInput = Type.String({ maxLength: 4096, description: 'The newest refresh token.' })

export const RequestOtpBody = Type.Object({ email: Email, request_id: Type.Optional(RequestId) }, closed)
export type RequestOtpInput = Static<typeof RequestOtpBody>

export const VerifyOtpBody = Type.Object({
  email: Email,
  code: Type.String({ minLength: 1, maxLength: 64, description: 'The code as it was typed or pasted.' }),
  request_id: Type.Optional(RequestId)
}, closed)
export type VerifyOtpInput = Static<typeof VerifyOtpBody>

const NoBody = Type.Object({}, closed)
const RefreshTokenBody = Type.Object({ refresh_token: Type.Optional(RefreshTokenInput) }, closed)

/** A refresh token is taken from the body only where one is ever given in a body. */
export const sessionBody = (delivery: 'cookie' | 'body' | 'both'): TObject => delivery === 'cookie' ? NoBody : RefreshTokenBody
export type SessionInput = Static<typeof RefreshTokenBody>

const Message = Type.Object({ message: Type.String() })

const RequestedOtp = Type.Object({
  message: Type.String(),
  request_id: Type.String({ description: 'Send it with the code: guesses that carry it have tries of their own.' }),
  expires_in: Type.Integer({ description: 'Seconds until the code ends.' }),
  resend_after: Type.Integer({ description: 'Seconds until another code can be asked for.' }),
  code_length: Type.Integer({ description: 'Characters in the code: digits, or 13 letters and digits.' })
})

const TokenResponse = Type.Object({
  access_token: Type.String(),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds until the access token ends.' }),
  refresh_token: Type.Optional(Type.String())
})

/** Fastify's four fields, `detail`, and the named extras; all optional, for a host's own error handler may answer in another shape. */
function errorAnswer (description: string, extra: TProperties = {}): TSchema {
  return Type.Object({
    statusCode: Type.Optional(Type.Integer()),
    code: Type.Optional(Type.String()),
    error: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    detail: Type.Optional(Type.String()),
    ...extra
  }, { description, additionalProperties: true })
}

const attemptsRemaining = Type.Optional(Type.Integer({ description: 'Tries left; only for a guess that carried a live request id.' }))
const retryAfter = Type.Optional(Type.Integer({ description: 'Seconds until a try can succeed.' }))

const everyError = {
  400: errorAnswer('The body is not what the schema says.'),
  403: errorAnswer('Another site sent the request.'),
  413: errorAnswer('The body is too large.'),
  415: errorAnswer('The body is not JSON.'),
  429: errorAnswer('Too many requests.', { retryAfter }),
  500: errorAnswer('The host failed.'),
  503: errorAnswer('Storage or delivery failed.')
}

export const requestOtpResponse = { 200: RequestedOtp, ...everyError }
export const verifyOtpResponse = {
  200: TokenResponse, 401: errorAnswer('The code is wrong or no longer valid.', { attemptsRemaining }), ...everyError
}
export const refreshResponse = { 200: TokenResponse, 401: errorAnswer('The refresh token is invalid or has ended.'), ...everyError }
export const logoutResponse = { 200: Message, ...everyError }
