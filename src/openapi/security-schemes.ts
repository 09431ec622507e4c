import type { ResolvedOptions } from '../options/resolve.ts'

/** One alternative in an operation's `security`. An empty one means that no credentials are needed. */
export type SecurityRequirement = Record<string, string[]>

/** The argument of a `swaggerTransform`: the document before its paths are added, as OpenAPI 3 or Swagger 2. */
export interface UnfinishedDocument {
  openapiObject?: { components: { securitySchemes?: Record<string, object> } }
  swaggerObject?: { securityDefinitions?: Record<string, object> }
}

/** The transforms of the four routes of every instance. A route with one of them is one of ours. */
export const ownTransforms = new WeakSet<object>()

// An instance's name cannot contain a dot, so the schemes of two instances never have the same name.
const bearerName = ({ name }: ResolvedOptions): string => `${name}.bearer`
const cookieName = ({ name }: ResolvedOptions): string => `${name}.refresh_cookie`

export const bearer = (options: ResolvedOptions): SecurityRequirement[] => [{ [bearerName(options)]: [] }]

/** Empty if `refreshTokenDelivery` is `'body'`. */
export const refreshCookie = (options: ResolvedOptions): SecurityRequirement[] =>
  options.refreshTokenInCookie ? [{ [cookieName(options)]: [] }] : []

/**
 * Declares an instance's security schemes in a document. @fastify/swagger throws if an operation names a scheme that is not
 * declared. A scheme that the application declared under the same name is kept. Swagger 2 has neither bearer tokens nor
 * cookies: there the token is described as a header, and the cookie is left out.
 *
 * @returns all schemes of the document
 */
export function declareSchemes ({ openapiObject, swaggerObject }: UnfinishedDocument, options: ResolvedOptions, cookie: string): object {
  const token = 'The access token of /verify-otp or /refresh'
  if (openapiObject !== undefined) {
    return Object.assign(openapiObject.components, {
      securitySchemes: {
        [bearerName(options)]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: `${token}.` },
        ...(refreshCookie(options).length > 0 && {
          [cookieName(options)]: { type: 'apiKey', in: 'cookie', name: cookie, description: 'The refresh token. Browsers store and send it.' }
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
