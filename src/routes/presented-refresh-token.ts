import type { FastifyRequest } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import type { SessionInput } from './schemas.ts'

/** The refresh token from where `refreshTokenDelivery` puts it; of both, the body's. */
export function presentedRefreshToken (
  request: FastifyRequest<{ Body: SessionInput }>, { flow: { options }, cookies }: HttpContext
): string | undefined {
  const fromCookie = options.refreshTokenDelivery === 'body' ? undefined : cookies.refresh.read(request)
  return request.body.refresh_token ?? fromCookie
}
