import { TypeCompiler, ValueErrorType, type ValueError } from '@sinclair/typebox/compiler'
import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify'
import { errorBody } from './error-responses.ts'

/**
 * Gives our routes their own JSON parser, validator and serializer, independent of the application's. An application that
 * coerces types would turn `["123456"]` and `true` into codes, and an application with another validator, such as zod, could not
 * use our schemas.
 */
export function useOwnCompilers (scope: FastifyInstance): void {
  // Set on each route, not on the scope. When the application adds a schema later, Fastify creates new compilers for its scopes
  // from those of the root, and compilers that were set on a scope are lost.
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
    return { error: [{ ...describeError(first), instancePath: first.path, schemaPath: '', params: {} }] }
  }
}

/** The keyword of the schema that does not match, and a message. Fastify puts "body" and the path in front of the message. */
function describeError ({ type, schema }: ValueError): { keyword: string, message: string } {
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return { keyword: 'required', message: 'is required' }
    case ValueErrorType.ObjectAdditionalProperties:
      return { keyword: 'additionalProperties', message: 'is not an allowed field' }
    case ValueErrorType.StringMinLength:
      return { keyword: 'minLength', message: `must have at least ${characters(schema['minLength'])}` }
    case ValueErrorType.StringMaxLength:
      return { keyword: 'maxLength', message: `must have at most ${characters(schema['maxLength'])}` }
    default:
      return { keyword: 'type', message: `must be ${schema['type'] === 'object' ? 'an object' : 'a string'}` }
  }
}

function characters (count: number): string {
  return count === 1 ? '1 character' : `${count} characters`
}

/**
 * The response schemas are only documentation. The value that a handler or the application's error handler returns is sent
 * unchanged.
 */
const serializerCompiler: FastifySerializerCompiler<unknown> = () => (response) =>
  JSON.stringify(response instanceof Error ? errorBody(response) : response)
