import { STATUS_CODES } from 'node:http'
import { Type, type TObject, type TProperties } from '@sinclair/typebox'

/** What an example is made of: an error of ours, or one of Fastify's in the same shape. */
export interface ExampleError {
  statusCode?: number
  code?: string
  message: string
  attemptsRemaining?: number
  retryAfter?: number
}

type Headers = Record<string, { type: string, description: string }>

/** An answer as @fastify/swagger reads it: `x-examples` and `headers` are its own keywords. */
export function answer (description: string, properties: TProperties, example: object, headers: Headers = {}): TObject {
  return Type.Object(properties, { description, 'x-examples': { success: { value: example } }, headers })
}

/**
 * An error's answer, with an example for each code. Fastify's four fields and the extras are optional, and others allowed:
 * a host's own error handler may answer in another shape.
 */
export function errorAnswer (description: string, errors: ExampleError[], extras: TProperties = {}, headers: Headers = {}): TObject {
  const fields = { statusCode: Type.Integer(), code: Type.String(), error: Type.String(), message: Type.String(), ...extras }
  return Type.Object(Type.Partial(Type.Object(fields)).properties, {
    description,
    additionalProperties: true,
    'x-examples': Object.fromEntries(errors.map((error) => [error.code, { value: example(error, Object.keys(extras)) }])),
    headers
  })
}

function example (error: ExampleError, extras: string[]): object {
  const { statusCode, code, message, attemptsRemaining, retryAfter } = error
  const values: Record<string, unknown> = { detail: message, attemptsRemaining, retryAfter }
  const known = extras.filter((name) => values[name] !== undefined).map((name) => [name, values[name]])
  return { statusCode, code, error: STATUS_CODES[statusCode!], message, ...Object.fromEntries(known) }
}
