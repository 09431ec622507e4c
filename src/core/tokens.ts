import { reservedClaim } from '../errors.ts'
import { randomId, type Clock, type Random } from './clock-and-random.ts'
import { SECOND } from './duration.ts'
import { TokenCache, type VerifiedToken } from './token-cache.ts'

/** Signs and verifies with one key. `verify` throws unless the token has this key, algorithm, issuer and audience. */
export interface JwtKey {
  sign (claims: Record<string, unknown>): string
  verify (token: string): Record<string, unknown>
}

/** Claims that the application may not set, because they decide what a token can be used for. */
const RESERVED = new Set(['sub', 'sid', 'seq', 'jti', 'type', 'iat', 'exp', 'nbf', 'iss', 'aud'])

/** The members of the header of our tokens. A token with any other member (kid, jku, crit, …) is refused. */
const HEADER = new Set(['alg', 'typ'])

export interface AccessToken {
  userId: string
  sessionId: string
  /** All claims, frozen deeply. */
  claims: Readonly<Record<string, unknown>>
}

export interface RefreshToken {
  userId: string
  sessionId: string
  /** The sequence number of the token in its session. */
  seq: number
}

export interface Tokens {
  /**
   * @param expiresAt epoch milliseconds
   * @throws OTP_AUTH_RESERVED_CLAIM if a custom claim has a reserved name
   */
  signAccess (token: { userId: string, sessionId: string, custom: Record<string, unknown>, expiresAt: number }): string
  signRefresh (token: RefreshToken & { expiresAt: number }): string
  /** @returns `null` if the text is not a valid, unexpired access token of this instance */
  verifyAccess (token: string, options?: VerifyOptions): AccessToken | null
  /** @returns `null` if the text is not a valid, unexpired refresh token of this instance */
  verifyRefresh (token: string, options?: VerifyOptions): RefreshToken | null
}

export interface VerifyOptions {
  /** If `true`, expired tokens are accepted. Logout uses this. */
  ignoreExpiration: boolean
}

interface TokenOptions {
  /** Newest first: the first one signs, all of them verify. */
  access: readonly JwtKey[]
  refresh: readonly JwtKey[]
  issuer?: string | undefined
  audience?: string | undefined
  clock: Clock
  random: Random
}

export function createTokens ({ access, refresh, issuer, audience, clock, random }: TokenOptions): Tokens {
  // JSON leaves out undefined values.
  const issuerClaims = { iss: issuer, aud: audience }

  function standardClaims (type: 'access' | 'refresh', userId: string, sessionId: string, expiresAt: number) {
    return {
      sub: userId,
      sid: sessionId,
      jti: randomId(random),
      type,
      iat: Math.floor(clock() / SECOND),
      exp: Math.floor(expiresAt / SECOND),
      ...issuerClaims
    }
  }

  function verify (keys: readonly JwtKey[], type: 'access' | 'refresh', token: string, ignoreExpiration: boolean): VerifiedToken | null {
    const claims = isCanonical(token) ? verifyWithAny(keys, token) : null
    if (claims === null || claims['type'] !== type) return null
    const { sub, sid, jti, iat, exp } = claims
    if (!isText(sub) || !isText(sid) || !isText(jti) || typeof iat !== 'number' || typeof exp !== 'number') return null
    // A token is expired "on or after" this time (RFC 7519, section 4.1.4), by the clock in the options.
    const expiresAt = exp * SECOND
    if (!ignoreExpiration && expiresAt <= clock()) return null
    return { userId: sub, sessionId: sid, claims, expiresAt }
  }

  const cache = new TokenCache()

  /** Only tokens that have not expired get into the cache. */
  function verifyAccess (token: string): VerifiedToken | null {
    const known = cache.get(token, clock())
    if (known !== undefined) return known
    const verified = verify(access, 'access', token, false)
    if (verified !== null) cache.add(token, verified)
    return verified
  }

  return {
    signAccess ({ userId, sessionId, custom, expiresAt }) {
      const claims = Object.assign(Object.create(null) as Record<string, unknown>, custom)
      for (const name of Object.keys(claims)) {
        if (RESERVED.has(name)) throw reservedClaim(name)
      }
      return access[0]!.sign(Object.assign(claims, standardClaims('access', userId, sessionId, expiresAt)))
    },

    signRefresh ({ userId, sessionId, seq, expiresAt }) {
      return refresh[0]!.sign({ ...standardClaims('refresh', userId, sessionId, expiresAt), seq })
    },

    verifyAccess: (token, { ignoreExpiration } = { ignoreExpiration: false }) =>
      ignoreExpiration ? verify(access, 'access', token, true) : verifyAccess(token),

    verifyRefresh (token, { ignoreExpiration } = { ignoreExpiration: false }) {
      const verified = verify(refresh, 'refresh', token, ignoreExpiration)
      if (verified === null) return null
      const { userId, sessionId, claims: { seq } } = verified
      return Number.isSafeInteger(seq) ? { userId, sessionId, seq: seq as number } : null
    }
  }
}

/**
 * The application's own claims: all but the standard ones. The object has no prototype, because
 * claim names can be anything, such as `__proto__`.
 */
export function customClaimsOf (claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const custom = Object.create(null) as Record<string, unknown>
  for (const [name, value] of Object.entries(claims)) {
    if (!RESERVED.has(name)) custom[name] = value
  }
  return custom
}

function verifyWithAny (keys: readonly JwtKey[], token: string): Record<string, unknown> | null {
  for (const key of keys) {
    try {
      return key.verify(token)
    } catch {
      // Wrong key and invalid token are treated alike, so that callers learn nothing.
    }
  }
  return null
}

/**
 * Each token has one spelling: three parts in base64url without padding or unused bits, with the header that we write. Lenient
 * decoders accept many spellings of one signature (CVE-2022-25898 and similar), which defeats any check that uses the token's
 * text as a key.
 */
function isCanonical (token: string): boolean {
  const parts = token.split('.')
  if (parts.length !== 3) return false
  if (!parts.every((part) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part)) return false
  try {
    const header: unknown = JSON.parse(Buffer.from(parts[0]!, 'base64url').toString())
    return Object.keys(header as object).every((member) => HEADER.has(member))
  } catch {
    return false
  }
}

function isText (value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
