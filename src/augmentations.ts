import type {} from 'fastify'
// Not `import type {}`: the generated declarations would drop it, and applications that do not import @fastify/jwt themselves
// would lose the type of `request.user`.
import '@fastify/jwt'
import type { Guard, OtpAuth, OtpAuthRequest } from './types/decorators.ts'
import type { OtpAuthClaims, OtpAuthUser } from './types/user.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Requires a live session: verifies the bearer access token, checks its session and loads the user, in one storage
     * call. Sets `request.user`, `request.customClaims` and `request.otpAuth`.
     *
     * Always put the guard in an array: `{ onRequest: [app.authenticate] }`. If `register` was not awaited, the guard is
     * undefined. In an array that fails at boot; without the array, Fastify would serve the route unguarded.
     */
    authenticate: Guard
    /**
     * {@link FastifyInstance.authenticate} if the request has a bearer token. Without one it lets the request through, and
     * `request.user` is undefined, whatever its type says. A bad token still gets a 401.
     */
    authenticateOptional: Guard
    /** Runs {@link FastifyInstance.authenticate} unless it already ran, then responds 403 if the user is not verified. */
    requireVerified: Guard
    /**
     * A guard that verifies only the access token, and sets `request.customClaims`. It does not read storage, so it **cannot see
     * a logout**: it accepts the token of an ended session until the token expires. Do not use it as the only guard.
     */
    customClaims: Guard
    /** Functions for your own code: issue tokens, list and revoke sessions, clean up. */
    otpAuth: OtpAuth
  }

  interface FastifyRequest {
    /** The claims that your `getAdditionalClaims` added to the access token. Set by every guard of this plugin. */
    customClaims: OtpAuthClaims
    /** Session and claims of this request, or `null` if no guard of this plugin has let it through. */
    otpAuth: OtpAuthRequest | null
  }
}

declare module '@fastify/jwt' {
  // `request.user` is typed here because @fastify/jwt declares it: a second declaration would conflict with that one.
  interface FastifyJWT {
    user: OtpAuthUser
  }
}
