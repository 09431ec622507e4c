import { withTimeout } from '../core/with-timeout.ts'
import type { OtpAuthOptions, OtpEmail } from '../options/types.ts'
import { hideAddress, type Log } from './log.ts'

export type DeliveryOutcome = 'sent' | 'rejected' | 'timeout'

/** Passes emails to the application's `sendOtp` and keeps track of those in progress. */
export interface Delivery {
  /** Resolves within `deliveryTimeout`. Never rejects, even if `sendOtp` throws, rejects or never settles. */
  send (email: OtpEmail): Promise<DeliveryOutcome>
  /** Resolves when no delivery is in progress. */
  settled (): Promise<void>
}

export function createDelivery (sendOtp: OtpAuthOptions['sendOtp'], timeout: number, log: Log): Delivery {
  const inProgress = new Set<Promise<DeliveryOutcome>>()

  async function attempt (message: OtpEmail): Promise<DeliveryOutcome> {
    // Copied first, because `sendOtp` may change the object.
    const { email, code } = message
    try {
      await sendOtp(message)
      return 'sent'
    } catch (error) {
      log.error({ err: redactedError(error, { email, code }) }, 'sendOtp failed')
      return 'rejected'
    }
  }

  async function attemptWithTimeout (message: OtpEmail): Promise<DeliveryOutcome> {
    try {
      return await withTimeout(attempt(message), timeout, 'sendOtp did not settle in time')
    } catch {
      // `attempt` never rejects, so the error is the timeout.
      return 'timeout'
    }
  }

  return {
    async send (message) {
      const sending = attemptWithTimeout(message)
      inProgress.add(sending)
      try {
        return await sending
      } finally {
        inProgress.delete(sending)
      }
    },

    async settled () {
      await Promise.all(inProgress)
    }
  }
}

/**
 * A copy of an error that hides address and code: email providers quote the recipient in errors ("550 … user unknown"), and
 * some quote the email.
 */
function redactedError (thrown: unknown, { email, code }: Pick<OtpEmail, 'email' | 'code'>): Error {
  // Emails may show the code in groups of digits, so it is also found with spaces or hyphens inside.
  const groupedCode = new RegExp([...code].join('[\\s-]*'), 'gi')
  const hide = (text: string) => hideAddress(text, email).replace(groupedCode, '[code]')
  const { name, message, errorCode } = readError(thrown)
  return Object.assign(new Error(hide(message)), { name }, errorCode !== undefined && { code: hide(errorCode) })
}

/** Reads any thrown value as text. An object without a prototype, or with getters that throw, must not end the process. */
function readError (thrown: unknown): { name: string, message: string, errorCode: string | undefined } {
  try {
    const { name, message, code } = thrown instanceof Error ? thrown as Error & { code?: unknown } : { name: 'Error', message: thrown }
    return { name: String(name), message: String(message), errorCode: typeof code === 'string' ? code : undefined }
  } catch {
    return { name: 'Error', message: 'sendOtp threw a value that cannot be read', errorCode: undefined }
  }
}
