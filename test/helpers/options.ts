import Fastify from 'fastify'
import type { Test } from 'tap'
import otpAuth, { type OtpAuthOptions } from '../../src/index.ts'
import { STORAGE_VERBS } from '../../src/storage/verbs.ts'

export const SECRET = 'a secret of the tests, of 32 bytes or more'

/** A storage whose methods do nothing. */
export function emptyStorage (): OtpAuthOptions['storage'] {
  return Object.fromEntries(STORAGE_VERBS.map((verb) => [verb, async () => null])) as unknown as OtpAuthOptions['storage']
}

export function required () {
  return { storage: emptyStorage(), secretKey: SECRET, sendOtp: async () => {} } satisfies OtpAuthOptions
}

/** Registers the plugin with the options, and closes the application again. */
export async function register (options: object | undefined): Promise<void> {
  const app = Fastify()
  try {
    await app.register(otpAuth, options as OtpAuthOptions)
    await app.ready()
  } finally {
    await app.close()
  }
}

/** Checks that `register` rejects with an error that names the option and says what was expected. */
export async function refuses (t: Test, options: object | undefined, name: string, expected: RegExp, comment = ''): Promise<string> {
  let message = 'nothing was thrown'
  try {
    await register(options)
  } catch (error) {
    const { code } = error as { code?: string }
    message = `${code} ${(error as Error).message}`
  }
  const starts = [`${name} `, `Unknown option "${name}". `].map((start) => `OTP_AUTH_INVALID_OPTION fastify-otp-auth: ${start}`)
  t.ok(starts.some((start) => message.startsWith(start)), `${comment}: ${message}`)
  t.match(message, expected, comment)
  return message
}
