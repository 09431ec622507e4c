import type { TObject } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import { bearer, declareSchemes, ownTransforms, refreshCookie, type UnfinishedDocument, type SecurityRequirement } from './security-schemes.ts'
import type { ResolvedOptions } from '../options/resolve.ts'
import type { RouteOptions } from '../options/types.ts'
import type { RouteName } from '../types/routes.ts'

type DescribedSchema = FastifySchema & { security?: SecurityRequirement[] }
type TransformInput = UnfinishedDocument & { schema: DescribedSchema, url: string }
type Transform = (input: TransformInput) => { schema: DescribedSchema, url: string }

interface Description {
  summary: string
  description: string
  /** The credentials that a request may have, as alternatives. */
  security: (options: ResolvedOptions) => SecurityRequirement[]
}

const NO_CREDENTIALS: SecurityRequirement = {}

const descriptions: Record<RouteName, Description> = {
  requestOtp: {
    summary: 'Request a code',
    description: 'Sends a one-time code to the address. The response is the same whether or not there is an account with this address.',
    security: () => []
  },
  verifyOtp: {
    summary: 'Enter a code',
    description: 'Exchanges a code for an access token and starts a session. Each code works once.',
    security: () => []
  },
  refresh: {
    summary: 'Get a new access token',
    description: 'Exchanges the current refresh token for a new access token and the next refresh token.',
    security: (options) => options.refreshTokenInCookie && options.refreshTokenInBody
      ? [NO_CREDENTIALS, ...refreshCookie(options)]
      : refreshCookie(options)
  },
  logout: {
    summary: 'End the session',
    description: 'Ends the sessions of the refresh token and of the bearer token. Without a token the response is the same.',
    security: (options) => [NO_CREDENTIALS, ...refreshCookie(options), ...bearer(options)]
  }
}

/**
 * Adds the parts that @fastify/swagger reads to a route: fields of the schema, and a transform. This transform replaces the
 * option `transform` of @fastify/swagger, which may be made for another kind of schema, such as zod's. If the
 * application sets a transform in the option `routes`, it runs after ours and receives its result.
 */
export function documentRoute<Schema extends { body: object, response: object }> (
  { services: { options }, cookies }: HttpContext, route: RouteName, schema: Schema
): { config: RouteOptions['config'], schema: Schema } {
  const config = options.routes[route].config
  if (!options.openapi) return { config, schema: { ...schema, hide: true } }

  const { summary, description, security } = descriptions[route]
  const { swaggerTransform: applicationTransform } = config as { swaggerTransform?: Transform | false }

  function swaggerTransform ({ schema: { body, ...shown }, ...input }: TransformInput): ReturnType<Transform> {
    const declared = declareSchemes(input, options, cookies.refresh.name)
    const described = {
      ...shown,
      body: documentedBody(body as TObject),
      security: shown.security ?? security(options).filter((alternative) => Object.keys(alternative).every((name) => name in declared))
    }
    return applicationTransform ? applicationTransform({ ...input, schema: described }) : { schema: described, url: input.url }
  }

  ownTransforms.add(swaggerTransform)
  return {
    config: { ...config, swaggerTransform } as object,
    schema: { ...schema, tags: [options.name], operationId: `${options.name}_${route}`, summary, description }
  }
}

/**
 * A body as the document shows it. An empty body is left out, because @fastify/swagger documents every body as required. The email
 * address gets `format: 'email'` only here. In the schema that validates requests, TypeBox would refuse every address, because
 * this format is not registered there.
 */
function documentedBody ({ properties, ...body }: TObject): object | undefined {
  if (Object.keys(properties).length === 0) return undefined
  const { email, ...others } = properties
  return { ...body, properties: { ...(email !== undefined && { email: { ...email, format: 'email' } }), ...others } }
}
