import type { OtpAuthOptions, OtpMail } from '../option-types.ts'
import type { Log } from './log.ts'

export type DeliveryOutcome = 'sent' | 'rejected' | 'timeout'

/** Hands mails to the host's `sendOtp`, each with an outcome in bounded time, and knows which are still under way. */
export interface Delivery {
  /** Never rejects, whatever `sendOtp` does: throws, rejects, or never answers. */
  send (mail: OtpMail): Promise<DeliveryOutcome>
  /** Resolves once no mail is under way. */
  settled (): Promise<void>
}

export function createDelivery (sendOtp: OtpAuthOptions['sendOtp'], timeout: number, log: Log): Delivery {
  const underWay = new Set<Promise<DeliveryOutcome>>()

  async function attempt (mail: OtpMail): Promise<DeliveryOutcome> {
    // As they are now: the mail is in the host's hands from here on.
    const { email, code } = mail
    try {
      await sendOtp(mail)
      return 'sent'
    } catch (error) {
      log.error({ err: withoutRecipient(error, { email, code }) }, 'sendOtp failed')
      return 'rejected'
    }
  }

  async function attemptInTime (mail: OtpMail): Promise<DeliveryOutcome> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<DeliveryOutcome>((resolve) => { timer = setTimeout(resolve, timeout, 'timeout') })
    try {
      // The attempt itself never rejects, so one that loses the race leaves no unhandled rejection behind.
      return await Promise.race([attempt(mail), late])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async send (mail) {
      const sending = attemptInTime(mail)
      underWay.add(sending)
      try {
        return await sending
      } finally {
        underWay.delete(sending)
      }
    },

    async settled () {
      await Promise.all(underWay)
    }
  }
}

/** Mailers quote the recipient in their errors ("550 … user unknown"); some quote the mail. */
function withoutRecipient (thrown: unknown, { email, code }: Pick<OtpMail, 'email' | 'code'>): Error {
  const address = new RegExp(email.replace(/[^a-z0-9@]/g, '\\$&'), 'gi')
  // As mails show it, too: in groups of digits.
  const groups = new RegExp([...code].join('[\\s-]*'), 'gi')
  const hide = (text: string) => text.replace(address, '[address]').replace(groups, '[code]')
  const { name, message, reason } = read(thrown)
  return Object.assign(new Error(hide(message)), { name }, reason !== undefined && { code: hide(reason) })
}

/** Whatever was thrown, in text: an object without a prototype or with getters that throw must not end the process. */
function read (thrown: unknown): { name: string, message: string, reason: string | undefined } {
  try {
    const { name, message, code } = thrown instanceof Error ? thrown as Error & { code?: unknown } : { name: 'Error', message: thrown }
    return { name: String(name), message: String(message), reason: typeof code === 'string' ? code : undefined }
  } catch {
    return { name: 'Error', message: 'what was thrown cannot be read', reason: undefined }
  }
}
