import type { FastifyInstance } from 'fastify'
import type { HttpContext } from '../http/context.ts'
import { createGuards } from './guards.ts'
import { createOtpAuth } from './otp-auth.ts'

/** Adds the guards and `app.otpAuth` to the application's own scope. */
export function decorate (app: FastifyInstance, context: HttpContext): void {
  for (const [name, guard] of Object.entries(createGuards(context.services))) app.decorate(name, guard)
  app.decorate('otpAuth', createOtpAuth(context))
  // An instance in a parent scope may have declared these. `request.user` is assigned but never declared, because the
  // application's @fastify/jwt declares it.
  if (!app.hasRequestDecorator('otpAuth')) app.decorateRequest('otpAuth', null)
  if (!app.hasRequestDecorator('customClaims')) app.decorateRequest('customClaims')
}
