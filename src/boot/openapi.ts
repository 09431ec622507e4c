import type { FastifyInstance, RouteOptions } from 'fastify'
import { notVerified, unauthenticated, invalidToken } from '../errors.ts'
import type { Flow } from '../flows/flow.ts'
import { errorAnswer } from '../http/answers.ts'
import { bearer, ownTransforms, type SecurityRequirement } from '../http/openapi.ts'
import type { Guard } from '../types.ts'

/** What @fastify/swagger reads of a route's schema, beside what Fastify does. */
type Schema = NonNullable<RouteOptions['schema']> & { response?: Record<string, unknown>, security?: readonly SecurityRequirement[] }

const SWAGGER = '@fastify/swagger'
const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

const UNAUTHENTICATED = errorAnswer('No access token, or one that is invalid or has ended.', [unauthenticated(), invalidToken()], {},
  { 'WWW-Authenticate': { type: 'string', description: 'Says that a bearer token is asked for.' } })
const NOT_VERIFIED = errorAnswer('The e-mail address is not verified.', [notVerified()])
/** What @fastify/swagger says by itself where a route has no answers at all. */
const DEFAULT_ANSWERS = { 200: { type: 'null', description: 'Default Response' } }

/**
 * Has the guards mark their routes in the document of @fastify/swagger: `security`, and the answers that a guard gives.
 * It reads routes when it is asked for the document, from the very objects that Fastify hands to `onRoute` hooks; Fastify
 * itself took their schemas when the routes were declared. So what is written there once the application is ready is in
 * the document alone: no validator and no serializer ever sees it.
 */
export function markGuardedRoutes (host: FastifyInstance, { options, log }: Flow): void {
  if (!options.openapi) return
  // Its hook sees what is declared after it: where it comes after us, our routes are missing, and with them the security
  // schemes that they declare.
  if (!host.hasPlugin(SWAGGER)) return warnWhereItComesAfter(host, log)

  const routes: RouteOptions[] = []
  let onlyJsonSchema = true
  host.addHook('onRoute', function (route) {
    routes.push(route)
    // Our own routes, those of another instance too: the host's general transform is not asked about them.
    if (ownTransforms.has(transformOf(route) as object)) return
    onlyJsonSchema &&= this.serializerCompiler === undefined && schemasOf(route).every(isPlain)
  })
  // Only now, for a guard may have been put on a route by an `onRoute` hook of the host's that ran after ours.
  host.addHook('onReady', async () => {
    // A transform of the route's own may know its own kind of schema alone.
    for (const route of routes.splice(0)) mark(route, onlyJsonSchema && typeof transformOf(route) !== 'function')
  })

  function mark (route: RouteOptions, withAnswers: boolean): void {
    const has = (guard: Guard) => HOOKS.some((hook) => [route[hook]].flat().includes(guard as never))
    const verified = has(host.requireVerified)
    const demanded = verified || has(host.authenticate)
    if (!demanded && !has(host.authenticateOptional)) return

    const schema = (route.schema ?? {}) as Schema
    // A new object: the host may share one schema among guarded and public routes.
    const marked: Schema = { ...schema, security: schema.security ?? [...(demanded ? [] : [{}]), ...bearer(options)] }
    if (withAnswers) {
      marked.response = withMissing(schema.response ?? DEFAULT_ANSWERS, { 401: UNAUTHENTICATED, ...(verified && { 403: NOT_VERIFIED }) })
    }
    route.schema = marked
  }
}

/** The host's own answers, and ours for the statuses that none of them covers. */
function withMissing (own: Record<string, unknown>, ours: Record<string, unknown>): Record<string, unknown> {
  const covers = (status: string) => [status, `${status[0]}xx`, 'default'].some((key) => Object.keys(own).some((has) => has.toLowerCase() === key))
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
 * JSON Schema, TypeBox's included, is plain objects. Schemas of other kinds (zod's, Joi's, ArkType's functions) are turned
 * into it by a transform of the host's that knows its own kind alone and throws at ours.
 */
function isPlain (schema: unknown): boolean {
  if (typeof schema === 'function') return false
  return typeof schema !== 'object' || schema === null || [Object.prototype, null].includes(Object.getPrototypeOf(schema))
}

function warnWhereItComesAfter (host: FastifyInstance, log: Flow['log']): void {
  host.addHook('onReady', async () => {
    if (host.hasPlugin(SWAGGER)) log.warn({}, `the document lacks our routes and the marks of our guards: register ${SWAGGER} before this plugin`)
  })
}
