import { Type, type TProperties } from '@sinclair/typebox'
import {
  ReservedClaim, crossSite, deliveryFailed, invalidCode, invalidEmail, invalidRefreshToken, storageUnavailable, tooManyAttempts,
  tooManyRequests, userCreationFailed
} from '../errors.ts'
import { answer, errorAnswer, type ExampleError } from '../http/answers.ts'
import { EXAMPLE_REQUEST_ID } from './schemas.ts'

export const MESSAGES = { requested: 'If this address can receive a code, one is on its way', loggedOut: 'Logged out' }

const setsCookies = (which: string) => ({ 'Set-Cookie': { type: 'string', description: which } })

const RequestedOtp = answer('A code is on its way, if this address can receive one.', {
  message: Type.String(),
  request_id: Type.String({ description: 'Send it with the code: guesses that carry it have tries of their own.' }),
  expires_in: Type.Integer({ description: 'Seconds until the code ends.' }),
  resend_after: Type.Integer({ description: 'Seconds until another code can be asked for.' }),
  code_length: Type.Integer({ description: 'Characters in the code: digits, or 13 letters and digits.' })
}, {
  message: MESSAGES.requested,
  request_id: EXAMPLE_REQUEST_ID,
  expires_in: 600,
  resend_after: 60,
  code_length: 6
}, setsCookies('The request id.'))

const tokens = (description: string, cookies: string) => answer(description, {
  access_token: Type.String(),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds until the access token ends.' }),
  refresh_token: Type.Optional(Type.String({ description: 'Where refresh tokens travel in bodies.' }))
}, { access_token: 'header.claims.signature', token_type: 'bearer', expires_in: 900 }, setsCookies(cookies))

const LoggedOut = answer('Nobody is logged in any more.', { message: Type.String() }, { message: MESSAGES.loggedOut },
  setsCookies('The refresh token, cleared.'))

const detail = Type.String({ description: 'The message again.' })
const retryAfter = Type.Integer({ description: 'Seconds until a try can succeed.' })
const attemptsRemaining = Type.Integer({ description: 'Tries left; only for a guess that carried a live request id.' })

const error = (description: string, errors: ExampleError[], extras: TProperties = {}) =>
  errorAnswer(description, errors, { detail, ...extras })

const tooMany = (...errors: ExampleError[]) => errorAnswer('Too many requests.', errors, { detail, retryAfter },
  { 'Retry-After': { type: 'integer', description: 'Seconds until a try can succeed.' } })

// What Fastify itself answers, and what it makes of an error of the host's code.
const INVALID_JSON = {
  statusCode: 400, code: 'FST_ERR_CTP_INVALID_JSON_BODY', message: "Body is not valid JSON but content-type is set to 'application/json'"
}
const UNKNOWN_FIELD = { statusCode: 400, code: 'FST_ERR_VALIDATION', message: 'body/other is not expected here' }
const TOO_LARGE = { statusCode: 413, code: 'FST_ERR_CTP_BODY_TOO_LARGE', message: 'Request body is too large' }
const NOT_JSON = { statusCode: 415, code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', message: 'Unsupported Media Type' }
const FAILED = { statusCode: 500, code: 'ERR_OF_THE_HOST', message: 'Something went wrong' }

const badBody = (example: ExampleError) => error('The body is not JSON, or not what the schema says.', [example, INVALID_JSON])

const everywhere = {
  400: badBody(UNKNOWN_FIELD),
  403: error('Another site sent the request.', [crossSite()]),
  413: error('The body is too large.', [TOO_LARGE]),
  415: error('The body is not JSON.', [NOT_JSON]),
  429: tooMany(tooManyRequests(60_000)),
  500: error('The host failed.', [FAILED]),
  503: error('Storage, or the store of the limits per IP, failed.', [storageUnavailable(new Error())])
}

const badAddress = { 400: badBody(invalidEmail('must be one address with one "@"')) }

export const requestOtpResponse = {
  200: RequestedOtp,
  ...everywhere,
  ...badAddress,
  503: error('Storage, the store of the limits per IP, or delivery failed.', [storageUnavailable(new Error()), deliveryFailed()])
}

export const verifyOtpResponse = {
  200: tokens('Logged in.', 'The refresh token and the device; the request id, cleared.'),
  ...everywhere,
  ...badAddress,
  401: error('The code is wrong or no longer valid.', [invalidCode(4)], { attemptsRemaining }),
  429: tooMany(tooManyAttempts(), tooManyRequests(60_000)),
  500: error('The host failed.', [userCreationFailed(new Error()), new ReservedClaim('sub')])
}

export const refreshResponse = {
  200: tokens('The session goes on.', 'The next refresh token.'),
  ...everywhere,
  401: error('The refresh token is invalid or has ended.', [invalidRefreshToken()]),
  500: error('The host failed.', [new ReservedClaim('sub')])
}

export const logoutResponse = { 200: LoggedOut, ...everywhere }
