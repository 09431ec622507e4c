import type { FastifyInstance } from 'fastify'
import { cleanup } from '../flows/cleanup.ts'
import type { Flow } from '../flows/flow.ts'

/** Cleans up every `cleanupInterval` while the application runs; a run that fails is logged, and the next one tries again. */
export function scheduleCleanup (host: FastifyInstance, flow: Flow): void {
  const { options: { cleanupInterval }, log } = flow
  if (cleanupInterval === null) return

  async function run (): Promise<void> {
    try {
      log.info({ removed: await cleanup(flow) }, 'cleaned up')
    } catch (error) {
      log.error({ err: error }, 'cleanup failed')
    }
  }

  // Alone it must not keep a process alive that has nothing else to do.
  const timer = setInterval(run, cleanupInterval).unref()
  host.addHook('onClose', async () => { clearInterval(timer) })
}
