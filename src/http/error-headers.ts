import type { FastifyReply, FastifyRequest, RouteGenericInterface } from 'fastify'
import type { AnswerError } from '../errors.ts'

/**
 * The same handler or guard, whose errors leave their headers on the reply: Fastify's own error handler would add them,
 * a host's own does not know of them.
 */
export function withErrorHeaders<Route extends RouteGenericInterface, Result> (
  handle: (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<Result>
): (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<Result> {
  return async (request, reply) => {
    try {
      return await handle(request, reply)
    } catch (error) {
      reply.headers((error as AnswerError | undefined)?.headers ?? {})
      throw error
    }
  }
}
