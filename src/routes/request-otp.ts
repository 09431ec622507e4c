import { finished, type Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { readDevice } from '../core/device.ts'
import { SECOND } from '../core/duration.ts'
import { networkOf } from '../core/network.ts'
import { requestOtp } from '../flows/request-otp.ts'
import { withErrorHeaders } from '../http/error-headers.ts'
import type { HttpContext } from '../http/context.ts'
import { carriedRequestId } from '../http/request-id.ts'
import { describe } from './describe.ts'
import { MESSAGES, requestOtpResponse } from './responses.ts'
import { BODY_LIMIT, RequestOtpBody, type RequestOtpInput } from './schemas.ts'

export function requestOtpRoute (scope: FastifyInstance, context: HttpContext): void {
  const { flow, cookies } = context
  const { options, keys } = flow

  scope.post<{ Body: RequestOtpInput }>('/request-otp', {
    ...options.routes.requestOtp,
    bodyLimit: BODY_LIMIT,
    ...describe(context, 'requestOtp', { body: RequestOtpBody, response: requestOtpResponse })
  }, withErrorHeaders(async (request, reply) => {
    const { email, request_id: requestId } = request.body
    const requested = await requestOtp(flow, {
      email,
      requestId: carriedRequestId(requestId, cookies.request.read(request)),
      device: readDevice(cookies.device.read(request), keys.device, options.clock()),
      network: networkOf(request.ip),
      request
    })
    // Once the answer is out, or the client gone: on HTTP/2 the stream alone still says so where it went before us.
    const { stream } = reply.raw as { stream?: Writable }
    finished(stream ?? reply.raw, { readable: false }, requested.afterAnswer)
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
