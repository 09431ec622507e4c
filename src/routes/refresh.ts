import type { FastifyInstance } from 'fastify'
import { refresh } from '../flows/refresh.ts'
import { withErrorHeaders } from '../http/error-headers.ts'
import type { HttpContext } from '../http/context.ts'
import { setRefreshCookie, tokenAnswer } from '../http/token-answer.ts'
import { describe } from './describe.ts'
import { presentedRefreshToken } from './presented-refresh-token.ts'
import { refreshResponse } from './responses.ts'
import { BODY_LIMIT, sessionBody, type SessionInput } from './schemas.ts'

export function refreshRoute (scope: FastifyInstance, context: HttpContext): void {
  const { flow } = context
  const { options } = flow

  scope.post<{ Body: SessionInput }>('/refresh', {
    ...options.routes.refresh,
    bodyLimit: BODY_LIMIT,
    ...describe(context, 'refresh', { body: sessionBody(options.refreshTokenDelivery), response: refreshResponse })
  }, withErrorHeaders(async (request, reply) => {
    const tokens = await refresh(flow, presentedRefreshToken(request, context), request)
    setRefreshCookie(reply, context, tokens)
    return tokenAnswer(context, tokens)
  }))
}
