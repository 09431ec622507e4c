import { Type, type TProperties } from '@sinclair/typebox'
import {
  crossSite, deliveryFailed, invalidCode, invalidEmail, invalidRefreshToken, reservedClaim, storageUnavailable, tooManyAttempts,
  tooManyRequests, userCreationFailed
} from '../errors.ts'
import { MESSAGES } from '../http/messages.ts'
import { errorResponse, successResponse, type ExampleError } from './responses.ts'

export const EXAMPLE_REQUEST_ID = 'q0Zt3vVJ0mGk1yq6Qm1b9A'

const setsCookies = (which: string) => ({ 'Set-Cookie': { type: 'string', description: which } })

const RequestedOtp = successResponse('A code was sent, if this address can receive one.', {
  message: Type.String(),
  request_id: Type.String({ description: 'Send it with the code. Attempts that include it have their own limit.' }),
  expires_in: Type.Integer({ description: 'Seconds until the code expires.' }),
  resend_after: Type.Integer({ description: 'Seconds until another code can be requested.' }),
  code_length: Type.Integer({ description: 'Number of characters in the code. A code with 13 characters has letters and digits, a shorter one only digits.' })
}, {
  message: MESSAGES.requested,
  request_id: EXAMPLE_REQUEST_ID,
  expires_in: 600,
  resend_after: 60,
  code_length: 6
}, setsCookies('The request ID.'))

const tokens = (description: string, cookies: string) => successResponse(description, {
  access_token: Type.String(),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires.' }),
  refresh_token: Type.Optional(Type.String({ description: 'Present if the server returns refresh tokens in the body.' }))
}, { access_token: 'header.claims.signature', token_type: 'bearer', expires_in: 900 }, setsCookies(cookies))

const LoggedOut = successResponse('The user is logged out.', { message: Type.String() }, { message: MESSAGES.loggedOut },
  setsCookies('Clears the refresh token.'))

const detail = Type.String({ description: 'The same text as `message`.' })
const retryAfter = Type.Integer({ description: 'Seconds to wait before the next request.' })
const attemptsRemaining = Type.Integer({ description: 'Attempts left for this code. Only if the request ID belongs to a code that is still valid.' })

const error = (description: string, errors: ExampleError[], extras: TProperties = {}) =>
  errorResponse(description, errors, { detail, ...extras })

const tooMany = (...errors: ExampleError[]) => errorResponse('Too many requests.', errors, { detail, retryAfter },
  { 'Retry-After': { type: 'integer', description: 'Seconds to wait before the next request.' } })

// Responses of Fastify itself, and its response to an error in the application's code.
const INVALID_JSON = {
  statusCode: 400, code: 'FST_ERR_CTP_INVALID_JSON_BODY', message: "Body is not valid JSON but content-type is set to 'application/json'"
}
const UNKNOWN_FIELD = { statusCode: 400, code: 'FST_ERR_VALIDATION', message: 'body/other is not an allowed field' }
const TOO_LARGE = { statusCode: 413, code: 'FST_ERR_CTP_BODY_TOO_LARGE', message: 'Request body is too large' }
const NOT_JSON = { statusCode: 415, code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', message: 'Unsupported Media Type' }
const FAILED = { statusCode: 500, code: 'ERR_OF_THE_APPLICATION', message: 'Something went wrong' }

const badBody = (example: ExampleError) => error('The body is not valid JSON or does not match the schema.', [example, INVALID_JSON])

const commonResponses = {
  400: badBody(UNKNOWN_FIELD),
  403: error('The request comes from another site.', [crossSite()]),
  413: error('The body is too large.', [TOO_LARGE]),
  415: error('The content type is not application/json.', [NOT_JSON]),
  429: tooMany(tooManyRequests(60_000)),
  500: error("The application's own code threw an error.", [FAILED]),
  503: error('Storage or the rate limit store failed.', [storageUnavailable(new Error())])
}

const badAddress = { 400: badBody(invalidEmail('must be one address with one "@"')) }

export const requestOtpResponse = {
  200: RequestedOtp,
  ...commonResponses,
  ...badAddress,
  503: error('Storage, the rate limit store or the delivery failed.', [storageUnavailable(new Error()), deliveryFailed()])
}

export const verifyOtpResponse = {
  200: tokens('Logged in.', 'Sets the refresh token and the device cookie, and clears the request ID.'),
  ...commonResponses,
  ...badAddress,
  401: error('The code is wrong or no longer valid.', [invalidCode(4)], { attemptsRemaining }),
  429: tooMany(tooManyAttempts(), tooManyRequests(60_000)),
  500: error("The application's own code threw an error.", [userCreationFailed(new Error()), reservedClaim('sub')])
}

export const refreshResponse = {
  200: tokens('The session continues.', 'The next refresh token.'),
  ...commonResponses,
  401: error('The refresh token is invalid or its session has ended.', [invalidRefreshToken()]),
  500: error("The application's own code threw an error.", [reservedClaim('sub')])
}

export const logoutResponse = { 200: LoggedOut, ...commonResponses }
