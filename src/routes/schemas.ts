import { Type, type Static, type TObject } from '@sinclair/typebox'

/** In bytes: no body of ours is larger than a refresh token and an address. */
export const BODY_LIMIT = 8 * 1024

export const EXAMPLE_REQUEST_ID = 'q0Zt3vVJ0mGk1yq6Qm1b9A'

const closed = { additionalProperties: false }

/** `x-examples` is @fastify/swagger's own keyword. */
const example = (value: object) => ({ 'x-examples': { request: { value } } })

const Email = Type.String({ minLength: 3, maxLength: 320, description: 'The address; upper and lower case do not matter.' })
const RequestId = Type.String({ maxLength: 64, description: 'The id that /request-otp gave; the request cookie holds it, too.' })
const RefreshTokenInput = Type.String({ maxLength: 4096, description: 'The newest refresh token.' })

export const RequestOtpBody = Type.Object({ email: Email, request_id: Type.Optional(RequestId) },
  { ...closed, ...example({ email: 'you@example.com' }) })
export type RequestOtpInput = Static<typeof RequestOtpBody>

export const VerifyOtpBody = Type.Object({
  email: Email,
  code: Type.String({ minLength: 1, maxLength: 64, description: 'The code as it was typed or pasted.' }),
  request_id: Type.Optional(RequestId)
}, { ...closed, ...example({ email: 'you@example.com', code: '123456', request_id: EXAMPLE_REQUEST_ID }) })
export type VerifyOtpInput = Static<typeof VerifyOtpBody>

const NoBody = Type.Object({}, closed)
const RefreshTokenBody = Type.Object({ refresh_token: Type.Optional(RefreshTokenInput) },
  { ...closed, ...example({ refresh_token: 'header.claims.signature' }) })

/** A refresh token is taken from the body only where one is ever given in a body. */
export const sessionBody = (delivery: 'cookie' | 'body' | 'both'): TObject => delivery === 'cookie' ? NoBody : RefreshTokenBody
export type SessionInput = Static<typeof RefreshTokenBody>
