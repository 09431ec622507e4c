import type { FastifyRequest } from 'fastify'
import { customClaimsOf } from '../core/tokens.ts'
import { invalidToken, notVerified, unauthenticated } from '../errors.ts'
import { authenticate } from '../flows/authenticate.ts'
import type { Flow } from '../flows/flow.ts'
import { presentedBearer } from '../http/bearer.ts'
import { withErrorHeaders } from '../http/error-headers.ts'
import type { Guard, OtpAuthClaims, OtpAuthUser } from '../types.ts'

export interface Guards {
  authenticate: Guard
  authenticateOptional: Guard
  requireVerified: Guard
  customClaims: Guard
}

/** The guards of one instance. Their errors are thrown, for the host's error handler to see. */
export function createGuards (flow: Flow): Guards {
  // This instance's own word that it let the user through: request.user alone may be anybody's, another instance's too.
  const verified = Symbol('otpAuth.verified')

  async function admit (request: FastifyRequest, token: string): Promise<void> {
    const { user, sessionId, claims } = await authenticate(flow, token)
    request.user = user.row as OtpAuthUser
    request.customClaims = customClaimsOf(claims) as OtpAuthClaims
    request.otpAuth = { sessionId, claims }
    Object.assign(request, { [verified]: user.isVerified })
  }

  async function authenticateRequest (request: FastifyRequest): Promise<void> {
    await admit(request, demandBearer(request))
  }

  return {
    authenticate: withErrorHeaders(authenticateRequest),

    authenticateOptional: withErrorHeaders(async (request) => {
      const bearer = presentedBearer(request)
      if (bearer !== undefined) await admit(request, bearer)
    }),

    requireVerified: withErrorHeaders(async (request) => {
      if (!Object.hasOwn(request, verified)) await authenticateRequest(request)
      if ((request as unknown as Record<symbol, boolean>)[verified] !== true) throw notVerified()
    }),

    customClaims: withErrorHeaders(async (request) => {
      const token = flow.tokens.verifyAccess(demandBearer(request))
      if (token === null) throw invalidToken()
      request.customClaims = customClaimsOf(token.claims) as OtpAuthClaims
    })
  }
}

/** @throws unauthenticated */
function demandBearer (request: FastifyRequest): string {
  const token = presentedBearer(request)
  if (token === undefined) throw unauthenticated()
  return token
}
