import fastifyJwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import type { Keys } from '../core/keys.ts'
import { createTokens, type JwtKey, type Tokens } from '../core/tokens.ts'
import type { ResolvedOptions } from '../options.ts'

interface JwtOptions {
  algorithm: 'HS256' | 'HS384' | 'HS512'
  /** The `typ` header: explicit typing keeps one kind of token from passing for another (RFC 8725, section 3.11). */
  typ: string
  issuer?: string | undefined
  audience?: string | undefined
}

const REQUIRED_CLAIMS = ['sub', 'sid', 'jti', 'type', 'iat', 'exp']

/**
 * A signer and verifier for one key. Each key has an encapsulated context with an @fastify/jwt of its own: a second one in
 * the host's context would crash the process, and the host may have one already.
 */
async function jwtKey (host: FastifyInstance, secret: Buffer, { algorithm, typ, issuer, audience }: JwtOptions): Promise<JwtKey> {
  let key: JwtKey | undefined
  await host.register(async (context) => {
    await context.register(fastifyJwt, {
      secret,
      // The host's @fastify/jwt decorates `request.user`; ours must not collide with it.
      decoratorName: 'otpAuthToken',
      sign: { algorithm, header: { alg: algorithm, typ } },
      verify: {
        algorithms: [algorithm],
        checkTyp: typ,
        // allowedIss and allowedAud alone let a token pass that has neither claim.
        requiredClaims: [...REQUIRED_CLAIMS, ...(issuer === undefined ? [] : ['iss']), ...(audience === undefined ? [] : ['aud'])],
        ...(issuer !== undefined && { allowedIss: issuer }),
        ...(audience !== undefined && { allowedAud: audience }),
        // core/tokens.ts compares the expiry, with the clock that the host handed in.
        ignoreExpiration: true
      }
    })
    const { jwt } = context
    key = {
      sign: (claims) => jwt.sign(claims),
      verify: (token) => jwt.verify<Record<string, unknown>>(token)
    }
  })
  return key!
}

/** The tokens of one instance: a key for each kind and each secret. RFC 9068 names the type of access tokens. */
export async function createInstanceTokens (host: FastifyInstance, keys: Keys, options: ResolvedOptions): Promise<Tokens> {
  const { algorithm, issuer, audience, clock, random } = options
  const access: JwtKey[] = []
  const refresh: JwtKey[] = []
  for (const key of keys.access) access.push(await jwtKey(host, key, { algorithm, typ: 'at+jwt', issuer, audience }))
  for (const key of keys.refresh) refresh.push(await jwtKey(host, key, { algorithm, typ: 'rt+jwt', issuer, audience }))
  return createTokens({ access, refresh, issuer, audience, clock, random })
}
