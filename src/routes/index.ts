import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { useOwnCompilers } from '../http/compilers.ts'
import type { HttpContext } from '../http/context.ts'
import { refuseCrossSite } from '../http/cross-site.ts'
import { useErrorHandlerOf } from '../http/error-handler.ts'
import { warnOfUntrustedProxy } from '../http/proxy.ts'
import { limitPerIp } from './limit-per-ip.ts'
import { logoutRoute } from './logout.ts'
import { refreshRoute } from './refresh.ts'
import { requestOtpRoute } from './request-otp.ts'
import { verifyOtpRoute } from './verify-otp.ts'

/** The four routes, in a context of their own: a plugin that breaks out of its context would ignore the prefix. */
export function routes (host: FastifyInstance, context: HttpContext): FastifyPluginAsync {
  return async (scope: FastifyInstance) => {
    const { options, log } = context.flow
    useOwnCompilers(scope)
    useErrorHandlerOf(host, scope)
    scope.addHook('onRequest', warnOfUntrustedProxy(log))
    scope.addHook('onRequest', async (request) => refuseCrossSite(request, options.trustedOrigins))
    // In onSend, so that errors have it too, whoever answers them; and first of all, for a hook of the host's that fails
    // on the way out keeps ours from running.
    const forbidStoring = async (_request: FastifyRequest, reply: FastifyReply) => { reply.header('cache-control', 'no-store') }
    scope.addHook('onRequest', forbidStoring)
    scope.addHook('onSend', forbidStoring)
    // A success that a hook of the host's turned into an error: no error answer sets or clears a cookie.
    scope.addHook('onError', async (_request, reply) => context.cookies.withdraw(reply))

    await limitPerIp(scope, context.flow, 'requestOtp', (limited) => requestOtpRoute(limited, context))
    await limitPerIp(scope, context.flow, 'verifyOtp', (limited) => verifyOtpRoute(limited, context))
    await limitPerIp(scope, context.flow, 'refresh', (limited) => refreshRoute(limited, context))
    await limitPerIp(scope, context.flow, 'logout', (limited) => logoutRoute(limited, context))
  }
}
