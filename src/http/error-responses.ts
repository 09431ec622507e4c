import type { FastifyInstance, FastifyReply, FastifyRequest, RouteGenericInterface } from 'fastify'
import { ERROR_FIELDS, isOtpAuthError, type ErrorFields } from '../errors.ts'

/**
 * Lets the application's error handler respond for our routes, even if it is set later. Fastify decides which error handler a
 * scope has when the scope is created. This one looks up the application's handler when an error occurs.
 */
export function inheritErrorHandler (app: FastifyInstance, scope: FastifyInstance): void {
  const inherited = app.errorHandler
  scope.setErrorHandler((error, request, reply) => {
    const { errorHandler } = app
    // The inherited handler is next in Fastify's own chain. If it were called here, it would run twice when it passes an error
    // on. The error is passed on as a rejection, because Fastify would send a thrown string or plain object with status 200.
    return errorHandler === inherited ? Promise.reject(error) : errorHandler(error as Parameters<typeof errorHandler>[0], request, reply)
  })
}

/**
 * Wraps a handler or guard, so that the headers of our errors are set on the reply. Fastify's own error handler would set
 * them, but the application's handler does not know about them. Errors from the application's callbacks are left alone: their
 * headers may belong to a response that the callback received from another server.
 */
export function withErrorHeaders<Route extends RouteGenericInterface, Result> (
  handle: (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<Result>
): (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<Result> {
  return async (request, reply) => {
    try {
      return await handle(request, reply)
    } catch (error) {
      if (isOtpAuthError(error)) reply.headers(error.headers ?? {})
      throw error
    }
  }
}

/** The body of an error: Fastify's four fields, the message again as `detail`, and the fields that some of our errors add. */
export function errorBody (
  error: ErrorFields & { statusCode?: number, code?: string, error?: string | undefined, message: string }
): Record<string, unknown> {
  const { statusCode, code, error: name, message } = error
  const extraFields = Object.fromEntries(ERROR_FIELDS.map((field) => [field, error[field]]))
  return { statusCode, code, error: name, message, detail: message, ...extraFields }
}
