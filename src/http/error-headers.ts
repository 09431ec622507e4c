import type { FastifyReply, FastifyRequest, RouteGenericInterface } from 'fastify'
import { isOurs } from '../errors.ts'

/**
 * The same handler or guard, whose errors leave their headers on the reply: Fastify's own error handler would add them,
 * a host's own does not know of them. What the host's callbacks throw is left as it is: its headers may be of an answer
 * that they got from elsewhere.
 */
export function withErrorHeaders<Route extends RouteGenericInterface, Result> (
  handle: (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<Result>
): (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<Result> {
  return async (request, reply) => {
    try {
      return await handle(request, reply)
    } catch (error) {
      if (isOurs(error)) reply.headers(error.headers ?? {})
      throw error
    }
  }
}
