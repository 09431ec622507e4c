import type { FastifyInstance } from 'fastify'
import { DEVICE_LIFETIME, readDevice } from '../core/device.ts'
import { verifyOtp } from '../flows/verify-otp.ts'
import { withErrorHeaders } from '../http/error-headers.ts'
import type { HttpContext } from '../http/context.ts'
import { carriedRequestId } from '../http/request-id.ts'
import { setRefreshCookie, tokenAnswer } from '../http/token-answer.ts'
import { describe } from './describe.ts'
import { verifyOtpResponse } from './responses.ts'
import { BODY_LIMIT, VerifyOtpBody, type VerifyOtpInput } from './schemas.ts'

export function verifyOtpRoute (scope: FastifyInstance, context: HttpContext): void {
  const { flow, cookies } = context
  const { options, keys, tokens } = flow

  scope.post<{ Body: VerifyOtpInput }>('/verify-otp', {
    ...options.routes.verifyOtp,
    bodyLimit: BODY_LIMIT,
    ...describe(context, 'verifyOtp', { body: VerifyOtpBody, response: verifyOtpResponse })
  }, withErrorHeaders(async (request, reply) => {
    const { email, code, request_id: requestId } = request.body
    const loggedIn = await verifyOtp(flow, {
      email,
      code,
      requestId: carriedRequestId(requestId, cookies.request.read(request)),
      device: readDevice(cookies.device.read(request), keys.device, options.clock()),
      presented: tokens.verifyRefresh(cookies.refresh.read(request) ?? ''),
      request
    })
    setRefreshCookie(reply, context, loggedIn.tokens)
    cookies.device.set(reply, loggedIn.deviceCookie, DEVICE_LIFETIME)
    cookies.request.clear(reply)
    return tokenAnswer(context, loggedIn.tokens)
  }))
}
