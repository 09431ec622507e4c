import type { FastifyInstance } from 'fastify'
import './augmentations.ts'
import { deriveKeys } from './core/key-derivation.ts'
import { createCounterKeys } from './core/counter-keys.ts'
import { decorate } from './guards/index.ts'
import { createCookies } from './http/cookies.ts'
import { createInstanceTokens } from './http/jwt.ts'
import { markGuardedRoutes } from './openapi/guarded-routes.ts'
import { resolveOptions } from './options/resolve.ts'
import type { OtpAuthOptions } from './options/types.ts'
import { routes } from './routes/index.ts'
import { createDelivery } from './services/delivery.ts'
import { createEmitter } from './services/events.ts'
import type { Services } from './services/services.ts'
import { scheduleCleanup } from './startup/cleanup-schedule.ts'
import { claimInstance } from './startup/conflicts.ts'
import { reportAtStartup } from './startup/report.ts'
import { withUnavailableErrors } from './storage/unavailable.ts'

/** The plugin, step by step. Each step has a file of its own. */
export async function otpAuth (app: FastifyInstance, givenOptions: OtpAuthOptions): Promise<void> {
  const options = resolveOptions(givenOptions)
  claimInstance(app, options)

  const { log } = app
  const keys = deriveKeys(options.secretKeys, options.name)
  const services: Services = {
    options,
    storage: withUnavailableErrors(options.storage),
    tokens: await createInstanceTokens(app, keys, options),
    keys,
    counterKeys: createCounterKeys(options.name),
    delivery: createDelivery(options.sendOtp, options.deliveryTimeout, log),
    log,
    emit: createEmitter(log, options.onEvent)
  }
  const context = { services, cookies: await createCookies(app, options) }

  decorate(app, context)
  await app.register(routes(app, context), { prefix: options.prefix })
  markGuardedRoutes(app, services)

  reportAtStartup(app, services)
  scheduleCleanup(app, services)
  app.addHook('onClose', () => services.delivery.settled())
}
