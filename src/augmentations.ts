import type {} from 'fastify'
// Not `import type {}`, which the declarations would lose, and with it `request.user` in hosts that do not import it themselves.
import '@fastify/jwt'
import type { Guard, OtpAuth, OtpAuthClaims, OtpAuthRequest, OtpAuthUser } from './types.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Demands a live login: verifies the bearer access token, checks that its session lives and loads the user, in one
     * call of storage. Sets `request.user`, `request.customClaims` and `request.otpAuth`.
     *
     * Always in an array, `{ onRequest: [app.authenticate] }`: there a guard that is missing, because `register` was not
     * awaited, fails at boot; without the brackets Fastify would serve the route unguarded.
     */
    authenticate: Guard
    /**
     * {@link FastifyInstance.authenticate} where a bearer token is sent, nothing where none is: `request.user` is undefined
     * then, whatever its type says. A bad one is still 401.
     */
    authenticateOptional: Guard
    /** {@link FastifyInstance.authenticate} unless it has run for this request, then 403 unless the user is verified. */
    requireVerified: Guard
    /**
     * Verifies the access token alone and sets `request.customClaims`. It asks no storage, so it **cannot see a logout**:
     * for a token of an ended session it says yes until the token expires. It is no guard by itself.
     */
    customClaims: Guard
    /** The programmatic side. */
    otpAuth: OtpAuth
  }

  interface FastifyRequest {
    /** The access token's claims without the standard ones; set by the guards and by `customClaims`. */
    customClaims: OtpAuthClaims
    /** Session and claims of this request; null where no guard of ours let it through. */
    otpAuth: OtpAuthRequest | null
  }
}

declare module '@fastify/jwt' {
  // `request.user` is typed here, for that package declares it: a second declaration of ours would clash with it.
  interface FastifyJWT {
    user: OtpAuthUser
  }
}
