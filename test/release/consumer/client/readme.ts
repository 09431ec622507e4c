/** An application's use of the client. It is compiled and never run. */
import { createOtpAuthClient, OtpAuthClientError } from 'fastify-otp-auth/client'

declare function showUser (id: string | undefined): void
declare function showError (...facts: unknown[]): void

const auth = createOtpAuthClient() // on another origin: { baseUrl: 'https://api.example/auth' }
auth.onChange((session) => showUser(session?.userId)) // in this tab or another one
await auth.refresh() // after a page load: null if no user is signed in

export const askForCode = (email: string) => auth.requestOtp(email)

export async function enterCode (code: string) {
  try {
    await auth.verifyOtp(code)
  } catch (error) {
    if (!(error instanceof OtpAuthClientError)) throw error
    showError(error.message, error.code, error.attemptsRemaining, error.retryAfter)
  }
}

export const loadProfile = async () => (await auth.fetch('/me')).json()
