import type { FastifyRequest } from 'fastify'
import { crossSite } from '../errors.ts'

/**
 * Refuses requests that a browser sends for another site: login CSRF, forced logout, or emails triggered by another page.
 * JSON bodies and SameSite cookies already stop most of these. This check stops the rest.
 *
 * @throws crossSite
 */
export function refuseCrossSite (request: FastifyRequest, trustedOrigins: ReadonlySet<string>): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && trustedOrigins.has(origin)) return
  if (site !== undefined) {
    // The browser's own statement is used first: a proxy may have changed the Host header.
    if (site === 'same-origin' || site === 'none') return
    throw crossSite()
  }
  // Neither header: the client is a server, a mobile app or Node's fetch. Another page cannot use such a client's cookies.
  if (origin !== undefined && hostOf(origin) !== request.host) throw crossSite()
}

/** The host of an origin, or `null` if it has none. The opaque origin "null" has none. */
function hostOf (origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}
