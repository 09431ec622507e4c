import type { FastifyRequest } from 'fastify'
import { crossSite } from '../errors.ts'

/**
 * Refuses requests that a browser sends for another site: login CSRF, forced logout, or emails triggered by another page.
 * JSON bodies and SameSite cookies already stop most of these. This check stops the rest.
 *
 * @throws OTP_AUTH_CROSS_SITE
 */
export function refuseCrossSite (request: FastifyRequest, trustedOrigins: ReadonlySet<string>): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && trustedOrigins.has(origin)) return
  if (site !== undefined) {
    // Sec-Fetch-Site is checked first, because a proxy may have changed the Host header.
    if (site === 'same-origin' || site === 'none') return
    throw crossSite()
  }
  // Without Sec-Fetch-Site, Origin must match the host. A request with neither header does not come from a page, but from a
  // server, a mobile app or Node's fetch. Another page cannot use such a client's cookies.
  if (origin !== undefined && hostOf(origin) !== request.host) throw crossSite()
}

/** The host of an origin, or `null` if it has none. The opaque origin "null" has none. */
function hostOf (origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}
