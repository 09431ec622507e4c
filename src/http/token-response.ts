import type { FastifyReply } from 'fastify'
import type { SessionTokens } from '../services/sessions.ts'
import type { HttpContext } from './context.ts'

/** Sets the refresh cookie, unless `refreshTokenDelivery` is `'body'`. */
export function setRefreshCookie (reply: FastifyReply, { services: { options }, cookies }: HttpContext, tokens: SessionTokens): void {
  if (!options.refreshTokenInCookie) return
  cookies.refresh.set(reply, tokens.refreshToken, tokens.refreshExpiresAt - options.clock())
}

/** The token response of OAuth 2.0 (RFC 6749, section 5.1). It contains the refresh token if bodies contain refresh tokens. */
export function tokenResponse ({ services: { options } }: HttpContext, { accessToken, expiresIn, refreshToken }: SessionTokens) {
  return {
    access_token: accessToken,
    token_type: 'bearer',
    expires_in: expiresIn,
    refresh_token: options.refreshTokenInBody ? refreshToken : undefined
  }
}
