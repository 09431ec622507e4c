import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify'
import { ERROR_FIELDS, type OtpAuthError } from '../errors.ts'

/**
 * Gives our routes their own JSON parser, validator and serializer, independent of the application's. An application that
 * coerces types would turn `["123456"]` and `true` into codes, and one that uses other schemas could not read ours.
 */
export function useOwnCompilers (scope: FastifyInstance): void {
  // Set on each route, not on the context. When the application adds a schema later, Fastify creates new compilers for its
  // contexts from those of the root, and compilers that were set on a context are lost.
  scope.addHook('onRoute', (route) => { Object.assign(route, { validatorCompiler, serializerCompiler }) })
  scope.removeAllContentTypeParsers()
  const parseJson = scope.getDefaultJsonParser('error', 'error')
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Some front ends send the content type on requests without a body, too.
    if (body === '') return done(null, undefined)
    parseJson(request, body as string, done)
  })
  // Fastify validates a missing body as null. Our bodies are objects, in some of which every field is optional.
  scope.addHook('preValidation', async (request) => { request.body ??= {} })
}

const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const compiled = TypeCompiler.Compile(schema)
  return (value) => {
    if (compiled.Check(value)) return { value }
    const first = compiled.Errors(value).First()!
    return { error: [{ keyword: 'type', instancePath: first.path, schemaPath: '', params: {}, message: validationMessage(first.message) }] }
  }
}

/** Fastify puts "body" and the path in front of this message. */
function validationMessage (message: string): string {
  return message.replace('Expected', 'expected').replace('Unexpected property', 'is not expected here')
}

/** The response schemas are only documentation. What a handler or the application's error handler returns is sent unchanged. */
const serializerCompiler: FastifySerializerCompiler<unknown> = () => (response) =>
  JSON.stringify(response instanceof Error ? errorBody(response) : response)

/** The body of an error: Fastify's four fields, the message again as `detail`, and the fields that some of our errors add. */
function errorBody (error: OtpAuthError & { code?: string, error?: string }): Record<string, unknown> {
  const { statusCode, code, error: name, message } = error
  const extraFields = Object.fromEntries(ERROR_FIELDS.map((field) => [field, error[field]]))
  return { statusCode, code, error: name, message, detail: message, ...extraFields }
}
