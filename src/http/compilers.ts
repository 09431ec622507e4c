import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { FastifyInstance, FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify'
import type { TSchema } from '@sinclair/typebox'
import type { AnswerError } from '../errors.ts'

/**
 * Gives the routes of a context our own validator and serializer, and the context our JSON parser, whatever the host's are: a
 * host that coerces types would turn `["123456"]` and `true` into codes, and one that knows other schemas could not read ours.
 */
export function useOwnCompilers (context: FastifyInstance): void {
  // Set on each route, not on the context: when the host adds a schema later, Fastify makes new compilers for its contexts, from
  // the root's, and those set on a context are lost.
  context.addHook('onRoute', (route) => { Object.assign(route, { validatorCompiler, serializerCompiler }) })
  context.removeAllContentTypeParsers()
  const parseJson = context.getDefaultJsonParser('error', 'error')
  context.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Front ends send the content type on requests without a body, too.
    if (body === '') return done(null, undefined)
    parseJson(request, body as string, done)
  })
  // Fastify validates a missing body as null; ours are objects whose fields may all be missing.
  context.addHook('preValidation', async (request) => { request.body ??= {} })
}

const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const compiled = TypeCompiler.Compile(schema)
  return (value) => {
    if (compiled.Check(value)) return { value }
    const first = compiled.Errors(value).First()!
    return { error: [{ keyword: 'type', instancePath: first.path, schemaPath: '', params: {}, message: describe(first.message) }] }
  }
}

/** Fastify puts "body" and the path before the message. */
function describe (message: string): string {
  return message.replace('Expected', 'expected').replace('Unexpected property', 'is not expected here')
}

/** The response schemas only describe: what goes out is what the handler, or a host's error handler, answered. */
const serializerCompiler: FastifySerializerCompiler<unknown> = () => (answer) =>
  JSON.stringify(answer instanceof Error ? errorBody(answer) : answer)

/** An error as it goes out: Fastify's four fields, the message once more as `detail`, and the extras of some of ours. */
function errorBody (error: AnswerError & { code?: string, error?: string }): Record<string, unknown> {
  const { statusCode, code, error: name, message, attemptsRemaining, retryAfter } = error
  return { statusCode, code, error: name, message, detail: message, attemptsRemaining, retryAfter }
}
