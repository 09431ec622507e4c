import type { FastifyRequest } from 'fastify'

/**
 * The bearer credentials of a request (RFC 6750, section 2.1), or `undefined` where there are none, other schemes
 * included. What follows the scheme is the token as it stands; if it is no token, verification says so.
 */
export function presentedBearer ({ headers }: FastifyRequest): string | undefined {
  const [, scheme, token] = /^(\S*) ?(.*)$/.exec(headers.authorization ?? '')!
  return scheme!.toLowerCase() === 'bearer' ? token : undefined
}
