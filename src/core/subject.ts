import { createHash } from 'node:crypto'

function fingerprint (...parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('base64url')
}

/** Everything that is counted or kept for one address, under keys of fixed length that no collation can fold together. */
export interface Keyring {
  /** Whose code: instance name and normalised address. It survives a key rotation, and is no secret. */
  subject (email: string): string
  sendsToMailbox (email: string): string
  reserveOfMailbox (email: string): string
  refundsToMailbox (email: string): string
  sendsFromNetwork (email: string, network: string): string
  sendsToDevice (email: string, device: string): string
  failures (subject: string): string
  failuresOfDevice (subject: string, device: string): string
  unboundGuesses (subject: string): string
}

export function createKeyring (name: string): Keyring {
  const key = (kind: string, ...parts: string[]) => fingerprint(name, kind, ...parts)
  return {
    subject: (email) => key('subject', email),
    sendsToMailbox: (email) => key('mailbox', mailboxOf(email)),
    reserveOfMailbox: (email) => key('reserve', mailboxOf(email)),
    refundsToMailbox: (email) => key('refunds', mailboxOf(email)),
    sendsFromNetwork: (email, network) => key('network', mailboxOf(email), network),
    sendsToDevice: (email, device) => key('device', mailboxOf(email), device),
    failures: (subject) => key('failures', subject),
    failuresOfDevice: (subject, device) => key('device-failures', subject, device),
    unboundGuesses: (subject) => key('unbound', subject)
  }
}

/**
 * The mailbox that an address most likely ends in: without its `+tag`, and at Gmail without dots. It counts mails alone,
 * never identity: two people whose addresses meet here share a send budget, not an account.
 */
function mailboxOf (email: string): string {
  const at = email.lastIndexOf('@')
  const domain = email.slice(at + 1)
  const local = email.slice(0, at).replace(/(?<=.)\+.*/, '')
  return domain === 'gmail.com' || domain === 'googlemail.com'
    ? `${local.replaceAll('.', '')}@gmail.com`
    : `${local}@${domain}`
}
