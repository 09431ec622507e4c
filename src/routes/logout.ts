import type { FastifyInstance } from 'fastify'
import { logout } from '../flows/logout.ts'
import { presentedBearer } from '../http/bearer.ts'
import { withErrorHeaders } from '../http/error-headers.ts'
import type { HttpContext } from '../http/context.ts'
import { describe } from './describe.ts'
import { presentedRefreshToken } from './presented-refresh-token.ts'
import { MESSAGES, logoutResponse } from './responses.ts'
import { BODY_LIMIT, sessionBody, type SessionInput } from './schemas.ts'

export function logoutRoute (scope: FastifyInstance, context: HttpContext): void {
  const { flow, cookies } = context
  const { options } = flow

  scope.post<{ Body: SessionInput }>('/logout', {
    ...options.routes.logout,
    bodyLimit: BODY_LIMIT,
    ...describe(context, 'logout', { body: sessionBody(options.refreshTokenDelivery), response: logoutResponse })
  }, withErrorHeaders(async (request, reply) => {
    await logout(flow, {
      refreshToken: presentedRefreshToken(request, context),
      accessToken: presentedBearer(request)
    })
    if (options.refreshTokenDelivery !== 'body') cookies.refresh.clear(reply)
    return { message: MESSAGES.loggedOut }
  }))
}
