import type { ResolvedOptions } from '../options.ts'

/** One alternative of an operation's `security`; an empty one says that nothing is needed. */
export type SecurityRequirement = Record<string, string[]>

/** What @fastify/swagger hands to a `swaggerTransform`: the document before its paths, OpenAPI 3 or Swagger 2. */
export interface DocumentInTheMaking {
  openapiObject?: { components: { securitySchemes?: Record<string, object> } }
  swaggerObject?: { securityDefinitions?: Record<string, object> }
}

/** The transforms of our routes, of every instance: a route that has one is ours. */
export const ownTransforms = new WeakSet<object>()

// No instance's name has a dot, so no two instances' schemes are named alike.
const bearerName = ({ name }: ResolvedOptions): string => `${name}.bearer`
const cookieName = ({ name }: ResolvedOptions): string => `${name}.refresh_cookie`

export const bearer = (options: ResolvedOptions): SecurityRequirement[] => [{ [bearerName(options)]: [] }]

/** None where refresh tokens travel in bodies alone. */
export const refreshCookie = (options: ResolvedOptions): SecurityRequirement[] =>
  options.refreshTokenDelivery === 'body' ? [] : [{ [cookieName(options)]: [] }]

/**
 * Declares an instance's security schemes in a document, for @fastify/swagger throws where an operation names one that is
 * not there. What the host declared under the same name stays. Swagger 2 knows neither bearer tokens nor cookies: there the
 * token is a header, and the cookie is left out.
 *
 * @returns all schemes of the document
 */
export function declareSchemes ({ openapiObject, swaggerObject }: DocumentInTheMaking, options: ResolvedOptions, cookie: string): object {
  const token = 'The access token of /verify-otp or /refresh'
  if (openapiObject !== undefined) {
    return Object.assign(openapiObject.components, {
      securitySchemes: {
        [bearerName(options)]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: `${token}.` },
        ...(refreshCookie(options).length > 0 && {
          [cookieName(options)]: { type: 'apiKey', in: 'cookie', name: cookie, description: 'The refresh token; browsers keep and send it.' }
        }),
        ...openapiObject.components.securitySchemes
      }
    }).securitySchemes
  }
  return Object.assign(swaggerObject!, {
    securityDefinitions: {
      [bearerName(options)]: { type: 'apiKey', in: 'header', name: 'authorization', description: `${token}, after "Bearer ".` },
      ...swaggerObject!.securityDefinitions
    }
  }).securityDefinitions
}
