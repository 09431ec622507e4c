import type { OtpAuthEvent, OtpAuthOptions } from '../types.ts'
import type { Log } from './log.ts'

/** What an operator should look at; the rest is the daily round. */
const NOTABLE = new Set<OtpAuthEvent['type']>(['failure-budget.spent', 'delivery.failed', 'session.theft'])

/** Logs each event and tells the host. A listener that throws or rejects is logged and stops nothing. */
export function createEmitter (log: Log, onEvent: OtpAuthOptions['onEvent']): (event: OtpAuthEvent) => void {
  async function tellHost (event: OtpAuthEvent): Promise<void> {
    try {
      await onEvent?.(event)
    } catch (error) {
      log.error({ err: error, event: event.type }, 'onEvent failed')
    }
  }

  return (event) => {
    log[NOTABLE.has(event.type) ? 'warn' : 'info']({ otpAuth: event }, event.type)
    tellHost(event)
  }
}
