import type { FastifyInstance } from 'fastify'
import './augmentations.ts'
import { markGuardedRoutes } from './boot/openapi.ts'
import { claimPlace } from './boot/place.ts'
import { reportAtBoot } from './boot/report.ts'
import { scheduleCleanup } from './boot/cleanup-schedule.ts'
import { deriveKeys } from './core/keys.ts'
import { createKeyring } from './core/subject.ts'
import { decorate } from './decorators/index.ts'
import { createDelivery } from './flows/delivery.ts'
import { createEmitter } from './flows/events.ts'
import type { Flow } from './flows/flow.ts'
import { createCookies } from './http/cookies.ts'
import { createInstanceTokens } from './http/jwt.ts'
import { resolveOptions } from './options.ts'
import { routes } from './routes/index.ts'
import { failClosed } from './storage/fail-closed.ts'
import type { OtpAuthOptions } from './option-types.ts'

/** The plugin, step by step; each step is a file of its own. */
export async function otpAuth (host: FastifyInstance, given: OtpAuthOptions): Promise<void> {
  const options = resolveOptions(given)
  claimPlace(host, options)

  const { log } = host
  const keys = deriveKeys(options.secrets, options.name)
  const flow: Flow = {
    options,
    storage: failClosed(options.storage),
    tokens: await createInstanceTokens(host, keys, options),
    keys,
    keyring: createKeyring(options.name),
    delivery: createDelivery(options.sendOtp, options.deliveryTimeout, log),
    log,
    emit: createEmitter(log, options.onEvent)
  }
  const context = { flow, cookies: await createCookies(host, options) }

  decorate(host, context)
  await host.register(routes(host, context), { prefix: options.prefix })
  markGuardedRoutes(host, flow)

  reportAtBoot(host, flow)
  scheduleCleanup(host, flow)
  host.addHook('onClose', () => flow.delivery.settled())
}
