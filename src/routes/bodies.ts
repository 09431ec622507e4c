import { Type, type Static, type TObject } from '@sinclair/typebox'
import { EXAMPLE_REQUEST_ID } from '../openapi/own-responses.ts'
import type { ResolvedOptions } from '../options/resolve.ts'

/** Bytes. The largest bodies contain a refresh token or an address. */
export const BODY_LIMIT = 8 * 1024

const closed = { additionalProperties: false }

/** `x-examples` is a keyword of @fastify/swagger. */
const example = (value: object) => ({ 'x-examples': { request: { value } } })

const Email = Type.String({ minLength: 3, maxLength: 320, description: 'The email address. Upper and lower case do not matter.' })
const RequestId = Type.String({ maxLength: 64, description: 'The ID from the response of /request-otp. The request cookie contains it, too.' })
const RefreshToken = Type.String({ maxLength: 4096, description: 'The newest refresh token.' })

export const requestOtpBody = Type.Object({ email: Email, request_id: Type.Optional(RequestId) },
  { ...closed, ...example({ email: 'you@example.com' }) })
export type RequestOtpBody = Static<typeof requestOtpBody>

export const verifyOtpBody = Type.Object({
  email: Email,
  code: Type.String({ minLength: 1, maxLength: 64, description: 'The code as the user typed or pasted it.' }),
  request_id: Type.Optional(RequestId)
}, { ...closed, ...example({ email: 'you@example.com', code: '123456', request_id: EXAMPLE_REQUEST_ID }) })
export type VerifyOtpBody = Static<typeof verifyOtpBody>

const NoBody = Type.Object({}, closed)
const RefreshTokenBody = Type.Object({ refresh_token: Type.Optional(RefreshToken) },
  { ...closed, ...example({ refresh_token: 'header.claims.signature' }) })

/** The body of /refresh and /logout. */
export const sessionBody = ({ refreshTokenInBody }: ResolvedOptions): TObject => refreshTokenInBody ? RefreshTokenBody : NoBody
export type SessionBody = Static<typeof RefreshTokenBody>
