import type { FastifyRequest } from 'fastify'
import type { Log } from '../flows/log.ts'

/**
 * A hook that warns once where the application seems to stand behind a proxy that it was not told of: all its users then
 * share one address, and with it the limits per IP and one network's budgets.
 */
export function warnOfUntrustedProxy (log: Log): (request: FastifyRequest) => Promise<void> {
  let warned = false
  return async (request) => {
    // Where the peer is not trusted, `ips` is missing or holds the peer alone. A number for `trustProxy` trusts nobody.
    if (warned || request.headers['x-forwarded-for'] === undefined || (request.ips?.length ?? 1) > 1) return
    warned = true
    log.warn({}, 'X-Forwarded-For arrives from a peer that trustProxy does not name: behind a proxy all users share one network and ' +
      'its limits; set trustProxy to the address or network of the proxy, or have the header removed if there is none')
  }
}
