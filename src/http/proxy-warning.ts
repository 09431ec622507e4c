import type { FastifyRequest } from 'fastify'
import type { Log } from '../services/log.ts'

/**
 * A hook that warns once if the application seems to run behind a proxy that `trustProxy` does not contain. All users then share
 * one address, and with it the IP rate limits and the limits of one network.
 */
export function warnOfUntrustedProxy (log: Log): (request: FastifyRequest) => Promise<void> {
  let warned = false
  return async (request) => {
    // If the sender is not trusted, `ips` is missing or contains only the sender. Recent versions of Fastify do not trust
    // X-Forwarded-For if `trustProxy` is a number.
    if (warned || request.headers['x-forwarded-for'] === undefined || (request.ips?.length ?? 1) > 1) return
    warned = true
    log.warn({}, 'A request has the header X-Forwarded-For, but trustProxy does not contain its sender. Behind a proxy, all users ' +
      'then share the limits of one network. Set trustProxy to the address or network of the proxy. If there is no proxy, the client set ' +
      'the header itself, and you can ignore this warning')
  }
}
