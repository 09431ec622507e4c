import type { FastifyRequest } from 'fastify'
import { crossSite } from '../errors.ts'

/**
 * Refuses what a browser sends on behalf of another site: login CSRF, forced logout, mails triggered by a foreign page.
 * JSON bodies and SameSite cookies already stop most of it; this is what stops the rest.
 *
 * @throws crossSite
 */
export function refuseCrossSite (request: FastifyRequest, trustedOrigins: ReadonlySet<string>): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && trustedOrigins.has(origin)) return
  if (site !== undefined) {
    // The browser's own word comes before any comparison of hosts: a proxy may have rewritten Host.
    if (site === 'same-origin' || site === 'none') return
    throw crossSite()
  }
  // Neither header: a server, a phone, or Node's fetch. Such a client has no cookies that a page could borrow.
  if (origin !== undefined && hostOf(origin) !== request.host) throw crossSite()
}

/** `null` for what is no origin with a host, the opaque origin "null" among it. */
function hostOf (origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}
