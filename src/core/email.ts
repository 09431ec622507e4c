import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** RFC 5321, section 4.5.3.1: 64 octets before the at sign, and a path of 256 with its angle brackets. */
const MAX_LOCAL = 64
const MAX_ADDRESS = 254

/** A dot-atom (RFC 5322, section 3.2.3): no quotes, commas, spaces or brackets, so it can be no list and no display name. */
const ASCII_LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/

/** Where the host's own normalizeEmail decides the spelling: letters of any script, in either case. */
const UNICODE_LOCAL = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u

/**
 * Only these may reach `domainToASCII`, which by itself decodes `%61`, cuts at `/` and turns `2130706433` into an IP.
 */
const DOMAIN = /^[a-z0-9.\-\p{L}\p{M}]+$/u

/** Characters that nobody sees, some of them letters and marks to Unicode; `domainToASCII` drops them without a word. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** The address in its one spelling, or why it is none (completing the sentence "email …"). */
export type EmailResult = { email: string } | { reason: string }

/**
 * Reads an address: trims, lower-cases ASCII only (full case folding would merge accounts), turns the domain into its
 * A-label, and validates what came out. Plus-tags and dots stay as they are: they may be other people's.
 */
export function readEmail (typed: string, host?: (typed: string) => string): EmailResult {
  return host === undefined ? canonical(lowerCaseAscii(typed.trim()), ASCII_LOCAL) : readByHost(typed, host)
}

/** The host's function decides the spelling; that it is one plain address is still ours to check. */
function readByHost (typed: string, host: (typed: string) => string): EmailResult {
  let normalized: unknown
  try {
    normalized = host(typed)
  } catch {
    return { reason: 'is refused' }
  }
  return typeof normalized === 'string' ? canonical(normalized, UNICODE_LOCAL) : { reason: 'is refused' }
}

function canonical (address: string, localPart: RegExp): EmailResult {
  if (INVISIBLE.test(address)) return { reason: 'has invisible characters' }
  const at = address.indexOf('@')
  if (at < 1 || at !== address.lastIndexOf('@')) return { reason: 'must be one address with one "@"' }
  const local = address.slice(0, at)
  if (local.length > MAX_LOCAL || !localPart.test(local)) return { reason: 'has characters before the "@" that are not allowed' }
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
