import { hkdfSync } from 'node:crypto'

/** Each purpose has its own key, so that something made for one purpose is never accepted for another. */
export type Purpose = 'access' | 'refresh' | 'code' | 'device'

/** The keys of every purpose, in the order of the secrets: the first one signs, all of them verify. */
export type Keys = Readonly<Record<Purpose, readonly Buffer[]>>

/** HKDF-SHA-256 (RFC 5869). 64 bytes are enough for HS512 (RFC 7518, section 3.2). */
const KEY_BYTES = 64

/**
 * @param secrets the secrets of the option `secretKey`: at least one, the signing one first
 * @param name the instance's name: two instances with the same secret have different keys
 */
export function deriveKeys (secrets: readonly Buffer[], name: string): Keys {
  const derive = (purpose: Purpose) => secrets.map((secret) =>
    Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `fastify-otp-auth/${name}/${purpose}`, KEY_BYTES)))
  return { access: derive('access'), refresh: derive('refresh'), code: derive('code'), device: derive('device') }
}
