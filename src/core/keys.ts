import { hkdfSync } from 'node:crypto'

/** One key for each purpose, so that nothing made for one is ever accepted for another. */
export type Purpose = 'access' | 'refresh' | 'code' | 'device'

/** The keys of every purpose, in the order of the secrets: the first signs, all verify. */
export type Keys = Readonly<Record<Purpose, readonly Buffer[]>>

/** HKDF-SHA-256 (RFC 5869); 64 bytes, which is enough for HS512 (RFC 7518, section 3.2). */
const KEY_BYTES = 64

/**
 * @param secrets at least one, newest first
 * @param name the instance: two instances with one secret share no key
 */
export function deriveKeys (secrets: readonly Buffer[], name: string): Keys {
  const derive = (purpose: Purpose) => secrets.map((secret) =>
    Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `fastify-otp-auth/${name}/${purpose}`, KEY_BYTES)))
  return { access: derive('access'), refresh: derive('refresh'), code: derive('code'), device: derive('device') }
}
