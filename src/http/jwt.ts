import fastifyJwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import type { Keys } from '../core/key-derivation.ts'
import { createTokens, type JwtKey, type Tokens } from '../core/tokens.ts'
import type { ResolvedOptions } from '../options/resolve.ts'

interface JwtOptions {
  algorithm: 'HS256' | 'HS384' | 'HS512'
  /** The `typ` header. Explicit typing stops one kind of token from being accepted as another (RFC 8725, section 3.11). */
  typ: string
  issuer?: string | undefined
  audience?: string | undefined
}

const REQUIRED_CLAIMS = ['sub', 'sid', 'jti', 'type', 'iat', 'exp']

/**
 * A signer and verifier for one key. Each key has an encapsulated scope with its own @fastify/jwt: a second one in the
 * application's scope would crash the process, and the application may already have one.
 */
async function createJwtKey (app: FastifyInstance, secret: Buffer, { algorithm, typ, issuer, audience }: JwtOptions): Promise<JwtKey> {
  let key: JwtKey | undefined
  await app.register(async (scope) => {
    await scope.register(fastifyJwt, {
      secret,
      // The application's @fastify/jwt decorates `request.user`. Ours must not collide with it.
      decoratorName: 'otpAuthToken',
      sign: { algorithm, header: { alg: algorithm, typ } },
      verify: {
        algorithms: [algorithm],
        checkTyp: typ,
        // allowedIss and allowedAud alone accept a token that lacks the claim.
        requiredClaims: [...REQUIRED_CLAIMS, ...(issuer === undefined ? [] : ['iss']), ...(audience === undefined ? [] : ['aud'])],
        ...(issuer !== undefined && { allowedIss: issuer }),
        ...(audience !== undefined && { allowedAud: audience }),
        // core/tokens.ts checks the expiry, with the clock from the options.
        ignoreExpiration: true
      }
    })
    const { jwt } = scope
    key = {
      sign: (claims) => jwt.sign(claims),
      verify: (token) => jwt.verify<Record<string, unknown>>(token)
    }
  })
  return key!
}

/** The tokens of one instance: a key for each kind of token and each secret. RFC 9068 defines the type of access tokens. */
export async function createInstanceTokens (app: FastifyInstance, keys: Keys, options: ResolvedOptions): Promise<Tokens> {
  const { algorithm, issuer, audience, clock, random } = options
  const access: JwtKey[] = []
  const refresh: JwtKey[] = []
  for (const key of keys.access) access.push(await createJwtKey(app, key, { algorithm, typ: 'at+jwt', issuer, audience }))
  for (const key of keys.refresh) refresh.push(await createJwtKey(app, key, { algorithm, typ: 'rt+jwt', issuer, audience }))
  return createTokens({ access, refresh, issuer, audience, clock, random })
}
