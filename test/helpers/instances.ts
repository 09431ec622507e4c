import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import otpAuth, { type OtpAuthOptions, type OtpEmail } from '../../src/index.ts'
import { createClock, openStorage } from './app.ts'

/** The secret that `buildApp` uses, for instances that share it. */
export const SHARED_SECRET = 'a secret of the tests, of 32 bytes or more'

/** Registers one more instance in `context`, with the secret and the clock of the others and a storage of its own. */
export async function addInstance (t: Test, context: FastifyInstance, options: Partial<OtpAuthOptions>) {
  const emails: OtpEmail[] = []
  await context.register(otpAuth, {
    secretKey: SHARED_SECRET,
    sendOtp: async (mail) => { emails.push(mail) },
    clock: createClock(),
    cleanupInterval: false,
    storage: openStorage(t).storage,
    ...options
  })
  return { codeFor: (email: string) => emails.findLast((mail) => mail.email === email)!.code }
}
