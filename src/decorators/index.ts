import type { FastifyInstance } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import { createGuards } from './guards.ts'
import { createOtpAuth } from './otp-auth.ts'

/** Puts guards and `app.otpAuth` on the host's own context. */
export function decorate (host: FastifyInstance, context: HttpContext): void {
  for (const [name, guard] of Object.entries(createGuards(context.flow))) host.decorate(name, guard)
  host.decorate('otpAuth', createOtpAuth(context))
  // An instance in a parent context may have declared them. `request.user` is assigned and never declared: the host's
  // @fastify/jwt declares it.
  if (!host.hasRequestDecorator('otpAuth')) host.decorateRequest('otpAuth', null)
  if (!host.hasRequestDecorator('customClaims')) host.decorateRequest('customClaims')
}
