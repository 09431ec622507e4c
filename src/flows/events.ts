import type { OtpAuthOptions } from '../option-types.ts'
import type { OtpAuthEvent } from '../types.ts'
import type { Log } from './log.ts'

/** What an operator should look at; the rest is the daily round. */
const NOTABLE = new Set<OtpAuthEvent['type']>(['failure-budget.spent', 'delivery.failed', 'session.theft', 'ip.limited'])

/** Logs each event and tells the host. A listener that throws or rejects is logged and stops nothing. */
export function createEmitter (log: Log, onEvent: OtpAuthOptions['onEvent']): (event: OtpAuthEvent) => void {
  async function tellHost (event: OtpAuthEvent): Promise<void> {
    try {
      await onEvent?.(event)
    } catch (error) {
      logFailure(event, error)
    }
  }

  function logFailure ({ type }: OtpAuthEvent, error: unknown): void {
    try {
      log.error({ err: error, event: type }, 'onEvent failed')
    } catch {
      // pino marks the errors that it writes, which a frozen one does not let it do.
      log.error({ event: type }, 'onEvent failed with an error that cannot be logged')
    }
  }

  return (event) => {
    log[NOTABLE.has(event.type) ? 'warn' : 'info']({ otpAuth: event }, event.type)
    tellHost(event)
  }
}
