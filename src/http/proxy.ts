import type { FastifyRequest } from 'fastify'
import type { Log } from '../flows/log.ts'

/**
 * A hook that warns once where the application seems to stand behind a proxy that it was not told of: all its users then
 * share one address, and with it the limits per IP and one network's budgets.
 */
export function warnOfUntrustedProxy (log: Log): (request: FastifyRequest) => Promise<void> {
  let warned = false
  return async (request) => {
    // Fastify knows `ips` only where `trustProxy` is on.
    if (warned || request.headers['x-forwarded-for'] === undefined || request.ips !== undefined) return
    warned = true
    log.warn({}, 'X-Forwarded-For arrives while trustProxy is off: behind a proxy all users share one network and its limits; ' +
      'set trustProxy, or have the header removed if there is no proxy')
  }
}
