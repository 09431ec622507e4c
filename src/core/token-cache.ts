import { hash } from 'node:crypto'

/** A token whose signature, header and claims were verified. */
export interface VerifiedToken {
  userId: string
  sessionId: string
  /** All claims. Frozen deeply once the token is in the cache, because several requests share them. */
  claims: Readonly<Record<string, unknown>>
  /** Epoch milliseconds. */
  expiresAt: number
}

/** Entries that are kept. With typical tokens a full cache needs about 5 MB. */
const MAX_ENTRIES = 10_000

/** Longer tokens are not kept, so that large tokens cannot fill the memory. */
const MAX_TOKEN_LENGTH = 4_096

/**
 * Remembers tokens that were verified once, so that their signature is not verified again at each request. It remembers a
 * signature, never a permission: expiry, session and user are still checked at each request.
 *
 * Tokens are stored by the SHA-256 hash of their exact text. If one character differs, the token is verified anew. When the
 * cache is full, the token that was not used for the longest time is dropped.
 */
export class TokenCache {
  /** A Map keeps its keys in the order of insertion: the first one was not used for the longest time. */
  readonly #entries = new Map<string, VerifiedToken>()

  /** @returns `undefined` if the token is unknown or has expired */
  get (token: string, now: number): VerifiedToken | undefined {
    if (token.length > MAX_TOKEN_LENGTH) return undefined
    const key = keyOf(token)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    // A token is expired "on or after" this time (RFC 7519, section 4.1.4).
    if (entry.expiresAt <= now) return undefined
    this.#entries.set(key, entry)
    return entry
  }

  /** Freezes the claims, also those of a token that is too long to keep. */
  add (token: string, verified: VerifiedToken): void {
    deepFreeze(verified.claims)
    if (token.length > MAX_TOKEN_LENGTH) return
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(keyOf(token), verified)
  }
}

function keyOf (token: string): string {
  return hash('sha256', token, 'base64url')
}

/** Freezes what `JSON.parse` can return. */
function deepFreeze (value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  Object.freeze(value)
  for (const member of Object.values(value)) deepFreeze(member)
}
