import type { FastifyInstance, RouteOptions } from 'fastify'
import { notVerified, unauthenticated, invalidToken } from '../errors.ts'
import type { Services } from '../services/services.ts'
import { errorResponse } from './responses.ts'
import { bearer, ownTransforms, type SecurityRequirement } from './security-schemes.ts'
import type { Guard } from '../types/decorators.ts'

/** The parts of a route's schema that @fastify/swagger reads, in addition to those that Fastify reads. */
type Schema = NonNullable<RouteOptions['schema']> & { response?: Record<string, unknown>, security?: readonly SecurityRequirement[] }

const SWAGGER = '@fastify/swagger'
const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

const UNAUTHENTICATED = errorResponse('There is no access token, or it is invalid, or its session has ended.', [unauthenticated(), invalidToken()], {},
  { 'WWW-Authenticate': { type: 'string', description: 'Asks for a bearer token.' } })
const NOT_VERIFIED = errorResponse('The email address is not verified.', [notVerified()])
/** The responses that @fastify/swagger itself shows if a route declares none. */
const DEFAULT_RESPONSES = { 200: { type: 'null', description: 'Default Response' } }

/**
 * Marks guarded routes in the document of @fastify/swagger: `security`, and the responses that a guard can give.
 *
 * @fastify/swagger reads the routes when the document is requested, from the same objects that Fastify passes to `onRoute`
 * hooks. Fastify itself reads their schemas earlier, when a route is declared. So changes that are made once the application
 * is ready appear only in the document. No validator or serializer sees them.
 */
export function markGuardedRoutes (app: FastifyInstance, { options, log }: Services): void {
  if (!options.openapi) return
  // @fastify/swagger sees only routes that are declared after it. If it is registered after this plugin, our routes and the
  // security schemes that they declare are missing from the document.
  if (!app.hasPlugin(SWAGGER)) return warnIfRegisteredLater(app, log)

  const routes: RouteOptions[] = []
  let onlyJsonSchema = true
  app.addHook('onRoute', function (route) {
    routes.push(route)
    // Our own routes, also those of another instance, do not pass through the option `transform` of @fastify/swagger.
    if (ownTransforms.has(transformOf(route) as object)) return
    onlyJsonSchema &&= this.serializerCompiler === undefined && schemasOf(route).every(isPlain)
  })
  // Not earlier: an `onRoute` hook of the application may run after ours and add a guard.
  app.addHook('onReady', async () => {
    // A route's own transform may support only its own kind of schema.
    for (const route of routes.splice(0)) mark(route, onlyJsonSchema && typeof transformOf(route) !== 'function')
  })

  function mark (route: RouteOptions, withResponses: boolean): void {
    const has = (guard: Guard) => HOOKS.some((hook) => [route[hook]].flat().includes(guard as never))
    const requiresVerified = has(app.requireVerified)
    const requiresToken = requiresVerified || has(app.authenticate)
    if (!requiresToken && !has(app.authenticateOptional)) return

    const schema = (route.schema ?? {}) as Schema
    // A new object, because guarded and public routes may share one schema.
    const marked: Schema = { ...schema, security: schema.security ?? [...(requiresToken ? [] : [{}]), ...bearer(options)] }
    if (withResponses) {
      const ours = { 401: UNAUTHENTICATED, ...(requiresVerified && { 403: NOT_VERIFIED }) }
      marked.response = withMissing(schema.response ?? DEFAULT_RESPONSES, ours)
    }
    route.schema = marked
  }
}

/** The route's own responses, and ours for the statuses that it does not cover. */
function withMissing (own: Record<string, unknown>, ours: Record<string, unknown>): Record<string, unknown> {
  const declared = Object.keys(own).map((key) => key.toLowerCase())
  const covers = (status: string) => [status, `${status[0]}xx`, 'default'].some((key) => declared.includes(key))
  return { ...own, ...Object.fromEntries(Object.entries(ours).filter(([status]) => !covers(status))) }
}

function transformOf ({ config }: RouteOptions): unknown {
  return (config as { swaggerTransform?: unknown } | undefined)?.swaggerTransform
}

function schemasOf ({ schema }: RouteOptions): unknown[] {
  const { body, querystring, params, headers, response } = schema ?? {}
  return [body, querystring, params, headers, ...Object.values(response ?? {})]
}

/**
 * JSON Schema consists of plain objects, and so do TypeBox's schemas. Other kinds of schemas (zod, Joi, ArkType) need a
 * transform of the application, which supports only that kind and would throw on ours.
 */
function isPlain (schema: unknown): boolean {
  if (typeof schema === 'function') return false
  return typeof schema !== 'object' || schema === null || [Object.prototype, null].includes(Object.getPrototypeOf(schema))
}

function warnIfRegisteredLater (app: FastifyInstance, log: Services['log']): void {
  app.addHook('onReady', async () => {
    if (app.hasPlugin(SWAGGER)) log.warn({}, `The OpenAPI document lacks the routes of this plugin, and guarded routes are not marked as protected. Register ${SWAGGER} before this plugin`)
  })
}
