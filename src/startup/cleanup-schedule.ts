import type { FastifyInstance } from 'fastify'
import type { Services } from '../services/services.ts'
import { cleanup } from '../use-cases/cleanup.ts'

/** Cleans up every `cleanupInterval` while the application runs. A failure is logged, and the next run tries again. */
export function scheduleCleanup (app: FastifyInstance, services: Services): void {
  const { options: { cleanupInterval }, log } = services
  if (cleanupInterval === null) return

  async function run (): Promise<void> {
    try {
      log.info({ removed: await cleanup(services) }, 'Cleanup finished')
    } catch (error) {
      log.error({ err: error }, 'Cleanup failed')
    }
  }

  // `unref`: the timer alone must not keep the process alive.
  const timer = setInterval(run, cleanupInterval).unref()
  app.addHook('onClose', async () => { clearInterval(timer) })
}
