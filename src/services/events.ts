import type { OtpAuthOptions } from '../options/types.ts'
import type { OtpAuthEvent } from '../types/events.ts'
import type { Log } from './log.ts'

/** Events that an operator should look at. They are logged as warnings, all others as information. */
const WARNINGS = new Set<OtpAuthEvent['type']>(['failure-limit.reached', 'delivery.failed', 'refresh-token.reused', 'ip-limit.reached'])

/** Logs each event and calls `onEvent`. If `onEvent` throws or rejects, the error is logged and nothing else happens. */
export function createEmitter (log: Log, onEvent: OtpAuthOptions['onEvent']): (event: OtpAuthEvent) => void {
  async function callListener (event: OtpAuthEvent): Promise<void> {
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
      // pino adds a property to each error that it logs. That throws if the error is frozen.
      log.error({ event: type }, 'onEvent failed with an error that cannot be logged')
    }
  }

  return (event) => {
    log[WARNINGS.has(event.type) ? 'warn' : 'info']({ otpAuth: event }, event.type)
    callListener(event)
  }
}
