import type { FastifyReply } from 'fastify'
import type { SessionTokens } from '../flows/sessions.ts'
import type { HttpContext } from './context.ts'

/** Sets the refresh cookie where refresh tokens travel in cookies. */
export function setRefreshCookie (reply: FastifyReply, { flow: { options }, cookies }: HttpContext, tokens: SessionTokens): void {
  if (options.refreshTokenDelivery === 'body') return
  cookies.refresh.set(reply, tokens.refreshToken, tokens.refreshExpiresAt - options.clock())
}

/** The answer of OAuth 2.0 (RFC 6749, section 5.1), with the refresh token where it travels in bodies. */
export function tokenAnswer ({ flow: { options } }: HttpContext, { accessToken, expiresIn, refreshToken }: SessionTokens) {
  return {
    access_token: accessToken,
    token_type: 'bearer',
    expires_in: expiresIn,
    refresh_token: options.refreshTokenDelivery === 'cookie' ? undefined : refreshToken
  }
}
