import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { useOwnCompilers } from '../http/body.ts'
import type { HttpContext } from '../http/context.ts'
import { refuseCrossSite } from '../http/cross-site.ts'
import { inheritErrorHandler } from '../http/error-responses.ts'
import { warnOfUntrustedProxy } from '../http/proxy-warning.ts'
import { addIpLimit } from '../ip-limits/limit.ts'
import { logoutRoute } from './logout.ts'
import { refreshRoute } from './refresh.ts'
import { requestOtpRoute } from './request-otp.ts'
import { verifyOtpRoute } from './verify-otp.ts'

/** The four routes, in a scope of their own: a plugin that shares its parent's scope would ignore the prefix. */
export function routes (app: FastifyInstance, context: HttpContext): FastifyPluginAsync {
  return async (scope: FastifyInstance) => {
    const { services } = context
    useOwnCompilers(scope)
    inheritErrorHandler(app, scope)
    scope.addHook('onRequest', warnOfUntrustedProxy(services.log))
    scope.addHook('onRequest', async (request) => refuseCrossSite(request, services.options.trustedOrigins))
    // In onSend, so that every error has the header, no matter which handler sends it. In onRequest as well, because an onSend hook of the
    // application that fails stops ours from running.
    const forbidCaching = async (_request: FastifyRequest, reply: FastifyReply) => { reply.header('cache-control', 'no-store') }
    scope.addHook('onRequest', forbidCaching)
    scope.addHook('onSend', forbidCaching)
    // A hook of the application may turn a success into an error. An error response never sets or clears our cookies.
    scope.addHook('onError', async (_request, reply) => context.cookies.withdraw(reply))

    await addIpLimit(scope, services, 'requestOtp', (limited) => requestOtpRoute(limited, context))
    await addIpLimit(scope, services, 'verifyOtp', (limited) => verifyOtpRoute(limited, context))
    await addIpLimit(scope, services, 'refresh', (limited) => refreshRoute(limited, context))
    await addIpLimit(scope, services, 'logout', (limited) => logoutRoute(limited, context))
  }
}
