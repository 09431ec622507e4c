import type { TObject } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import { bearer, declareSchemes, ownTransforms, refreshCookie, type DocumentInTheMaking, type SecurityRequirement } from '../http/openapi.ts'
import type { ResolvedOptions } from '../options.ts'
import type { RouteName, RouteOptions } from '../option-types.ts'

type DescribedSchema = FastifySchema & { security?: SecurityRequirement[] }
type TransformInput = DocumentInTheMaking & { schema: DescribedSchema, url: string }
type Transform = (input: TransformInput) => { schema: DescribedSchema, url: string }

interface Description {
  summary: string
  description: string
  /** The alternatives that a request may present. */
  security: (options: ResolvedOptions) => SecurityRequirement[]
}

const NOTHING: SecurityRequirement = {}

const descriptions: Record<RouteName, Description> = {
  requestOtp: {
    summary: 'Ask for a code',
    description: 'Mails a one-time code to the address. The answer is the same whether or not anybody has an account under it.',
    security: () => []
  },
  verifyOtp: {
    summary: 'Enter a code',
    description: 'Exchanges a code, which works once, for an access token, and starts a session.',
    security: () => []
  },
  refresh: {
    summary: 'Get the next access token',
    description: 'Exchanges the newest refresh token for an access token and the next refresh token.',
    security: (options) => options.refreshTokenDelivery === 'both' ? [NOTHING, ...refreshCookie(options)] : refreshCookie(options)
  },
  logout: {
    summary: 'End the session',
    description: 'Ends the session of the refresh token or of the bearer token. With neither the answer is the same.',
    security: (options) => [NOTHING, ...refreshCookie(options), ...bearer(options)]
  }
}

/**
 * How @fastify/swagger is told of a route: a part of its schema, and a transform of its own. That one takes the place of
 * the host's transform, which may know another kind of schema than ours (zod's); the host may give each of our routes one
 * in `routes`, and it then gets what ours made.
 */
export function describe<Schema extends { body: object, response: object }> (
  { flow: { options }, cookies }: HttpContext, route: RouteName, schema: Schema
): { config: RouteOptions['config'], schema: Schema } {
  const config = options.routes[route].config
  if (!options.openapi) return { config, schema: { ...schema, hide: true } }

  const { summary, description, security } = descriptions[route]
  const { swaggerTransform: then } = config as { swaggerTransform?: Transform | false }

  function swaggerTransform ({ schema: { body, ...shown }, ...input }: TransformInput): ReturnType<Transform> {
    const declared = declareSchemes(input, options, cookies.refresh.name)
    const described = {
      ...shown,
      body: documentedBody(body as TObject),
      security: shown.security ?? security(options).filter((alternative) => Object.keys(alternative).every((name) => name in declared))
    }
    return then ? then({ ...input, schema: described }) : { schema: described, url: input.url }
  }

  ownTransforms.add(swaggerTransform)
  return {
    config: { ...config, swaggerTransform } as object,
    schema: { ...schema, tags: [options.name], operationId: `${options.name}_${route}`, summary, description }
  }
}

/**
 * A body as documents show it: none where it holds nothing, for they show every body as required; and an address with its
 * format, which is not in the schema, for TypeBox refuses whatever has a format that it was not told of.
 */
function documentedBody ({ properties, ...body }: TObject): object | undefined {
  if (Object.keys(properties).length === 0) return undefined
  const { email, ...others } = properties
  return { ...body, properties: { ...(email !== undefined && { email: { ...email, format: 'email' } }), ...others } }
}
