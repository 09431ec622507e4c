import { STATUS_CODES } from 'node:http'
import { Type, type TObject, type TProperties } from '@sinclair/typebox'
import type { ErrorFields } from '../errors.ts'
import { errorBody } from '../http/error-responses.ts'

/** The source of an example: one of our errors, or one of Fastify's in the same shape. */
export interface ExampleError extends ErrorFields {
  statusCode?: number
  code?: string
  message: string
}

type Headers = Record<string, { type: string, description: string }>

/** A successful response as @fastify/swagger reads it. `x-examples` and `headers` are keywords of that package. */
export function successResponse (description: string, properties: TProperties, example: object, headers: Headers = {}): TObject {
  return Type.Object(properties, { description, 'x-examples': { success: { value: example } }, headers })
}

/**
 * An error response, with one example for each code. Fastify's four fields and the extra ones are optional, and others are
 * allowed, because the application's error handler may respond in another shape.
 */
export function errorResponse (description: string, errors: ExampleError[], extraFields: TProperties = {}, headers: Headers = {}): TObject {
  const fields = { statusCode: Type.Integer(), code: Type.String(), error: Type.String(), message: Type.String(), ...extraFields }
  return Type.Object(Type.Partial(Type.Object(fields)).properties, {
    description,
    additionalProperties: true,
    'x-examples': Object.fromEntries(errors.map((error) => [error.code, { value: exampleBody(error, Object.keys(fields)) }])),
    headers
  })
}

function exampleBody (error: ExampleError, shownFields: string[]): object {
  const { statusCode, code, message, attemptsRemaining, retryAfter } = error
  const body = errorBody({ statusCode, code, error: STATUS_CODES[statusCode!], message, attemptsRemaining, retryAfter })
  return Object.fromEntries(Object.entries(body).filter(([name, value]) => shownFields.includes(name) && value !== undefined))
}
