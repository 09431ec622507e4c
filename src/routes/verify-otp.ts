import type { FastifyInstance } from 'fastify'
import { DEVICE_LIFETIME, readDevice } from '../core/device-cookie.ts'
import type { HttpContext } from '../http/context.ts'
import { readRequestId } from '../http/credentials.ts'
import { withErrorHeaders } from '../http/error-responses.ts'
import { setRefreshCookie, tokenResponse } from '../http/token-response.ts'
import { verifyOtpResponse } from '../openapi/own-responses.ts'
import { documentRoute } from '../openapi/own-routes.ts'
import { verifyOtp } from '../use-cases/verify-otp.ts'
import { BODY_LIMIT, verifyOtpBody, type VerifyOtpBody } from './bodies.ts'

export function verifyOtpRoute (scope: FastifyInstance, context: HttpContext): void {
  const { services, cookies } = context
  const { options, keys, tokens } = services

  scope.post<{ Body: VerifyOtpBody }>('/verify-otp', {
    ...options.routes.verifyOtp,
    bodyLimit: BODY_LIMIT,
    ...documentRoute(context, 'verifyOtp', { body: verifyOtpBody, response: verifyOtpResponse })
  }, withErrorHeaders(async (request, reply) => {
    const { email, code } = request.body
    const loggedIn = await verifyOtp(services, {
      email,
      code,
      requestId: readRequestId(request, context),
      device: readDevice(cookies.device.read(request), keys.device, options.clock()),
      replacedToken: tokens.verifyRefresh(cookies.refresh.read(request) ?? ''),
      request
    })
    setRefreshCookie(reply, context, loggedIn.tokens)
    cookies.device.set(reply, loggedIn.deviceCookie, DEVICE_LIFETIME)
    cookies.request.clear(reply)
    return tokenResponse(context, loggedIn.tokens)
  }))
}
