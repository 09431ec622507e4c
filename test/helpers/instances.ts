import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import otpAuth, { type OtpAuthOptions, type OtpEmail } from '../../src/index.ts'
import { createClock, openStorage } from './app.ts'

/** The secret that `buildApp` uses, for instances that share it. */
export const SHARED_SECRET = 'a secret of the tests, of 32 bytes or more'

/** Registers another instance in `context`, with the same secret and start time and its own storage. */
export async function addInstance (t: Test, context: FastifyInstance, options: Partial<OtpAuthOptions>) {
  const emails: OtpEmail[] = []
  await context.register(otpAuth, {
    secretKey: SHARED_SECRET,
    sendOtp: async (email) => { emails.push(email) },
    clock: createClock(),
    cleanupInterval: false,
    storage: openStorage(t).storage,
    ...options
  })
  return { codeFor: (email: string) => emails.findLast((sent) => sent.email === email)!.code }
}
