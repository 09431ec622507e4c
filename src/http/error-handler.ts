import type { FastifyInstance } from 'fastify'

/**
 * Lets the host's error handler answer for our routes, whenever it was set: Fastify fixes a context's handler when the
 * context is made, so one that the host sets after our registration is looked up when an error comes.
 */
export function useErrorHandlerOf (host: FastifyInstance, context: FastifyInstance): void {
  const inherited = host.errorHandler
  context.setErrorHandler((error, request, reply) => {
    const { errorHandler } = host
    // The inherited one is next in Fastify's own chain; called from here it would be called twice where it passes errors on.
    // Passed on as a rejection: what is no Error (a text, a plain object) would be sent as an answer, with status 200.
    return errorHandler === inherited ? Promise.reject(error) : errorHandler(error as Parameters<typeof errorHandler>[0], request, reply)
  })
}
