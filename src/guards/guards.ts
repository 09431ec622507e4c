import type { FastifyRequest } from 'fastify'
import { customClaimsOf } from '../core/tokens.ts'
import { invalidToken, notVerified, unauthenticated } from '../errors.ts'
import { readBearerToken } from '../http/credentials.ts'
import { withErrorHeaders } from '../http/error-responses.ts'
import type { Services } from '../services/services.ts'
import type { Guard } from '../types/decorators.ts'
import type { OtpAuthClaims, OtpAuthUser } from '../types/user.ts'
import { authenticate } from '../use-cases/authenticate.ts'

export interface Guards {
  authenticate: Guard
  authenticateOptional: Guard
  requireVerified: Guard
  customClaims: Guard
}

/** The guards of one instance. They throw their errors, so that the application's error handler sees them. */
export function createGuards (services: Services): Guards {
  // Only this instance can set this symbol. `request.user` proves nothing: another plugin or instance may have set it.
  const isVerified = Symbol('otpAuth.isVerified')

  async function admit (request: FastifyRequest, token: string): Promise<void> {
    const { user, sessionId, claims } = await authenticate(services, token)
    request.user = user.row as OtpAuthUser
    request.customClaims = customClaimsOf(claims) as OtpAuthClaims
    request.otpAuth = { sessionId, claims }
    Object.assign(request, { [isVerified]: user.isVerified })
  }

  async function authenticateRequest (request: FastifyRequest): Promise<void> {
    await admit(request, requireBearerToken(request))
  }

  return {
    authenticate: withErrorHeaders(authenticateRequest),

    authenticateOptional: withErrorHeaders(async (request) => {
      const token = readBearerToken(request)
      if (token !== undefined) await admit(request, token)
    }),

    requireVerified: withErrorHeaders(async (request) => {
      if (!Object.hasOwn(request, isVerified)) await authenticateRequest(request)
      if ((request as unknown as Record<symbol, boolean>)[isVerified] !== true) throw notVerified()
    }),

    customClaims: withErrorHeaders(async (request) => {
      const token = services.tokens.verifyAccess(requireBearerToken(request))
      if (token === null) throw invalidToken()
      request.customClaims = customClaimsOf(token.claims) as OtpAuthClaims
    })
  }
}

/** @throws OTP_AUTH_UNAUTHENTICATED */
function requireBearerToken (request: FastifyRequest): string {
  const token = readBearerToken(request)
  if (token === undefined) throw unauthenticated()
  return token
}
