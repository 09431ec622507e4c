import type { OtpAuthOptions, OtpEmail } from '../options/types.ts'
import type { Log } from './log.ts'

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
      log.error({ err: withoutRecipient(error, { email, code }) }, 'sendOtp failed')
      return 'rejected'
    }
  }

  async function attemptWithTimeout (message: OtpEmail): Promise<DeliveryOutcome> {
    let timer: NodeJS.Timeout | undefined
    const timedOut = new Promise<DeliveryOutcome>((resolve) => { timer = setTimeout(resolve, timeout, 'timeout') })
    try {
      // `attempt` never rejects, so losing the race cannot leave an unhandled rejection.
      return await Promise.race([attempt(message), timedOut])
    } finally {
      clearTimeout(timer)
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

/** Hides address and code: email providers quote the recipient in errors ("550 … user unknown"), and some quote the email. */
function withoutRecipient (thrown: unknown, { email, code }: Pick<OtpEmail, 'email' | 'code'>): Error {
  const address = new RegExp(email.replace(/[^a-z0-9@]/g, '\\$&'), 'gi')
  // Emails may show the code in groups of digits, so it is also found with spaces or hyphens inside.
  const groupedCode = new RegExp([...code].join('[\\s-]*'), 'gi')
  const hide = (text: string) => text.replace(address, '[address]').replace(groupedCode, '[code]')
  const { name, message, reason } = readError(thrown)
  return Object.assign(new Error(hide(message)), { name }, reason !== undefined && { code: hide(reason) })
}

/** Reads any thrown value as text. An object without a prototype, or with getters that throw, must not end the process. */
function readError (thrown: unknown): { name: string, message: string, reason: string | undefined } {
  try {
    const { name, message, code } = thrown instanceof Error ? thrown as Error & { code?: unknown } : { name: 'Error', message: thrown }
    return { name: String(name), message: String(message), reason: typeof code === 'string' ? code : undefined }
  } catch {
    return { name: 'Error', message: 'sendOtp threw a value that cannot be read', reason: undefined }
  }
}
