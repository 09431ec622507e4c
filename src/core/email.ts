import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** RFC 5321, section 4.5.3.1: 64 octets before the "@". It allows 256 for `<address>`, so 254 remain for the address itself. */
const MAX_LOCAL = 64
const MAX_ADDRESS = 254

/** A dot-atom (RFC 5322, section 3.2.3). It has no quotes, commas, spaces or brackets, so it cannot hold a list or a display name. */
const ASCII_LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/

/** If the application has its own normalizeEmail, letters of any script are allowed, in upper and lower case. */
const UNICODE_LOCAL = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u

/**
 * Only these characters may reach `domainToASCII`. That function also decodes `%61`, cuts at `/` and turns `2130706433` into
 * an IP address.
 */
const DOMAIN = /^[a-z0-9.\-\p{L}\p{M}]+$/u

/** Invisible characters. Unicode counts some of them as letters or marks, and `domainToASCII` drops them silently. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u

/** The application's normalizeEmail threw an error, or returned something that is not a string. */
const NOT_ACCEPTED = 'is not accepted by this application'

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** The normalized address, or the reason why it is refused, which completes the sentence "email …". */
export type EmailResult = { email: string } | { reason: string }

/**
 * Reads an address: trims it, turns ASCII letters into lower case, converts the domain to its ASCII form (A-labels) and
 * validates the result. Letters outside of ASCII keep their case, because different addresses could become the same one.
 * Plus-tags and dots are kept, because addresses that differ only in them may belong to different people.
 */
export function readEmail (typed: string, normalize?: (typed: string) => string): EmailResult {
  return normalize === undefined ? canonical(lowerCaseAscii(typed.trim()), ASCII_LOCAL) : readWith(normalize, typed)
}

/** The application's function decides about the spelling. The result must still be one plain address. */
function readWith (normalize: (typed: string) => string, typed: string): EmailResult {
  let normalized: unknown
  try {
    normalized = normalize(typed)
  } catch {
    return { reason: NOT_ACCEPTED }
  }
  return typeof normalized === 'string' ? canonical(normalized, UNICODE_LOCAL) : { reason: NOT_ACCEPTED }
}

function canonical (address: string, localPart: RegExp): EmailResult {
  if (INVISIBLE.test(address)) return { reason: 'has invisible characters' }
  const at = address.indexOf('@')
  if (at < 1 || at !== address.lastIndexOf('@')) return { reason: 'must be one address with one "@"' }
  const local = address.slice(0, at)
  if (local.length > MAX_LOCAL) return { reason: `must have at most ${MAX_LOCAL} characters before the "@"` }
  if (!localPart.test(local)) return { reason: 'has characters before the "@" that are not allowed' }
  const domain = asciiDomain(address.slice(at + 1))
  if (domain === undefined) return { reason: 'must have a domain name after the "@"' }
  const email = `${local}@${domain}`
  return email.length > MAX_ADDRESS ? { reason: `must not be longer than ${MAX_ADDRESS} characters` } : { email }
}

function asciiDomain (typed: string): string | undefined {
  const lower = lowerCaseAscii(typed)
  if (!DOMAIN.test(lower)) return undefined
  const domain = domainToASCII(lower)
  const labels = domain.split('.')
  if (labels.length < 2 || isIP(domain) !== 0 || !labels.every((label) => LABEL.test(label))) return undefined
  return domain
}

function lowerCaseAscii (text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
