import type { FastifyInstance } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import { readBearerToken, readRefreshToken } from '../http/credentials.ts'
import { withErrorHeaders } from '../http/error-responses.ts'
import { MESSAGES } from '../http/messages.ts'
import { logoutResponse } from '../openapi/own-responses.ts'
import { documentRoute } from '../openapi/own-routes.ts'
import { logout } from '../use-cases/logout.ts'
import { BODY_LIMIT, sessionBody, type SessionBody } from './bodies.ts'

export function logoutRoute (scope: FastifyInstance, context: HttpContext): void {
  const { services, cookies } = context
  const { options } = services

  scope.post<{ Body: SessionBody }>('/logout', {
    ...options.routes.logout,
    bodyLimit: BODY_LIMIT,
    ...documentRoute(context, 'logout', { body: sessionBody(options), response: logoutResponse })
  }, withErrorHeaders(async (request, reply) => {
    await logout(services, {
      refreshToken: readRefreshToken(request, context),
      accessToken: readBearerToken(request)
    })
    if (options.refreshTokenInCookie) cookies.refresh.clear(reply)
    return { message: MESSAGES.loggedOut }
  }))
}
