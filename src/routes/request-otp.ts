import { finished, type Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { readDevice } from '../core/device-cookie.ts'
import { SECOND } from '../core/duration.ts'
import { networkOf } from '../core/network.ts'
import type { HttpContext } from '../http/context.ts'
import { readRequestId } from '../http/credentials.ts'
import { withErrorHeaders } from '../http/error-responses.ts'
import { MESSAGES } from '../http/messages.ts'
import { requestOtpResponse } from '../openapi/own-responses.ts'
import { documentRoute } from '../openapi/own-routes.ts'
import { requestOtp } from '../use-cases/request-otp.ts'
import { BODY_LIMIT, requestOtpBody, type RequestOtpBody } from './bodies.ts'

export function requestOtpRoute (scope: FastifyInstance, context: HttpContext): void {
  const { services, cookies } = context
  const { options, keys } = services

  scope.post<{ Body: RequestOtpBody }>('/request-otp', {
    ...options.routes.requestOtp,
    bodyLimit: BODY_LIMIT,
    ...documentRoute(context, 'requestOtp', { body: requestOtpBody, response: requestOtpResponse })
  }, withErrorHeaders(async (request, reply) => {
    const requested = await requestOtp(services, {
      email: request.body.email,
      requestId: readRequestId(request, context),
      device: readDevice(cookies.device.read(request), keys.device, options.clock()),
      network: networkOf(request.ip),
      request
    })
    // Runs when the response has been sent or the client is gone. If an HTTP/2 client
    // disconnects early, only the stream emits an event.
    const { stream } = reply.raw as { stream?: Writable }
    finished(stream ?? reply.raw, { readable: false }, requested.afterResponse)
    cookies.request.set(reply, requested.requestId, options.otpExpiry)
    return {
      message: MESSAGES.requested,
      request_id: requested.requestId,
      expires_in: Math.floor(options.otpExpiry / SECOND),
      resend_after: Math.ceil(options.cooldown / SECOND),
      code_length: requested.codeLength
    }
  }))
}
