import type { FastifyInstance } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import { readRefreshToken } from '../http/credentials.ts'
import { withErrorHeaders } from '../http/error-responses.ts'
import { setRefreshCookie, tokenResponse } from '../http/token-response.ts'
import { refreshResponse } from '../openapi/own-responses.ts'
import { documentRoute } from '../openapi/own-routes.ts'
import { refresh } from '../use-cases/refresh.ts'
import { BODY_LIMIT, sessionBody, type SessionBody } from './bodies.ts'

export function refreshRoute (scope: FastifyInstance, context: HttpContext): void {
  const { services } = context
  const { options } = services

  scope.post<{ Body: SessionBody }>('/refresh', {
    ...options.routes.refresh,
    bodyLimit: BODY_LIMIT,
    ...documentRoute(context, 'refresh', { body: sessionBody(options), response: refreshResponse })
  }, withErrorHeaders(async (request, reply) => {
    const tokens = await refresh(services, readRefreshToken(request, context), request)
    setRefreshCookie(reply, context, tokens)
    return tokenResponse(context, tokens)
  }))
}
