import type { FastifyRequest } from 'fastify'
import type { HttpContext } from './context.ts'

/** The format of the request IDs that `randomId` creates. Other values are ignored without a storage call. */
const REQUEST_ID = /^[\w-]{22}$/

/**
 * The bearer token of a request (RFC 6750, section 2.1), or `undefined` if there is none or the scheme is another one. The
 * text after the scheme is returned unchanged; token verification decides whether it is a token.
 */
export function readBearerToken ({ headers }: FastifyRequest): string | undefined {
  const [, scheme, token] = /^(\S*) ?(.*)$/.exec(headers.authorization ?? '')!
  return scheme!.toLowerCase() === 'bearer' ? token : undefined
}

/**
 * The refresh token from the body or the cookie. If both have one, the body's is used. The cookie is ignored if
 * `refreshTokenDelivery` is `'body'`.
 */
export function readRefreshToken (
  request: FastifyRequest<{ Body: { refresh_token?: string } }>, { services: { options }, cookies }: HttpContext
): string | undefined {
  const fromCookie = options.refreshTokenInCookie ? cookies.refresh.read(request) : undefined
  return request.body.refresh_token ?? fromCookie
}

/** The request ID that the client sent. If the body and the cookie have one, the body's is used. */
export function readRequestId (
  request: FastifyRequest<{ Body: { request_id?: string } }>, { cookies }: HttpContext
): string | undefined {
  const id = request.body.request_id ?? cookies.request.read(request)
  return REQUEST_ID.test(id ?? '') ? id : undefined
}
