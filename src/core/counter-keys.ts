import { createHash } from 'node:crypto'

/**
 * The keys under which events are counted. Each key is a hash of fixed length, so that no collation can treat two keys as
 * one. Keys contain the instance's name, so instances that share a database count separately.
 */
export interface CounterKeys {
  /**
   * Hash of the instance's name and the normalized address. It identifies the account in challenges, counters and events.
   * It does not depend on the secret, so a key rotation resets no count. It is not a secret.
   */
  emailHash (email: string): string
  sendsToMailbox (email: string): string
  reserveOfMailbox (email: string): string
  releasesOfMailbox (email: string): string
  sendsFromNetwork (email: string, network: string): string
  sendsFromDevice (email: string, device: string): string
  failures (emailHash: string): string
  failuresOfDevice (emailHash: string, device: string): string
  unboundAttempts (emailHash: string): string
}

export function createCounterKeys (name: string): CounterKeys {
  const key = (kind: string, ...parts: string[]) => hash(name, kind, ...parts)
  return {
    emailHash: (email) => key('email', email),
    sendsToMailbox: (email) => key('mailbox', mailboxOf(email)),
    reserveOfMailbox: (email) => key('reserve', mailboxOf(email)),
    releasesOfMailbox: (email) => key('refunds', mailboxOf(email)),
    sendsFromNetwork: (email, network) => key('network', mailboxOf(email), network),
    sendsFromDevice: (email, device) => key('device', mailboxOf(email), device),
    failures: (emailHash) => key('failures', emailHash),
    failuresOfDevice: (emailHash, device) => key('device-failures', emailHash, device),
    unboundAttempts: (emailHash) => key('unbound', emailHash)
  }
}

function hash (...parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('base64url')
}

/**
 * The mailbox that an address most likely belongs to: the address without its `+tag`, and at Gmail without dots. Only sent
 * emails are counted by mailbox: two people whose addresses map to the same mailbox share the send limits, but never an
 * account.
 */
function mailboxOf (email: string): string {
  const at = email.lastIndexOf('@')
  const domain = email.slice(at + 1)
  const local = email.slice(0, at).replace(/(?<=.)\+.*/, '')
  return domain === 'gmail.com' || domain === 'googlemail.com'
    ? `${local.replaceAll('.', '')}@gmail.com`
    : `${local}@${domain}`
}
