/**
 * A page's script that uses the client, compiled with the types of a browser and without those of Node. It is never run.
 * It imports the built package, so the compiler also checks the package's declarations.
 */
import { createOtpAuthClient, OtpAuthClientError, type OtpAuthClient, type OtpAuthClientSession } from 'fastify-otp-auth/client'

const client: OtpAuthClient = createOtpAuthClient()

// The client's fetch fits every API that takes a fetch.
export const fetchAsUser: typeof fetch = client.fetch

export const clients = [
  createOtpAuthClient({ baseUrl: 'https://api.example/auth', credentials: 'include', timeout: 5000 }),
  createOtpAuthClient({ fetch, tabs: { locks: navigator.locks, channel: new BroadcastChannel('mine') } }),
  createOtpAuthClient({ fetch: window.fetch.bind(window), tabs: {} }),
  createOtpAuthClient({ refreshToken: { get: () => localStorage.getItem('t'), set: async (token) => localStorage.setItem('t', token ?? '') } }),
  // @ts-expect-error a typo
  createOtpAuthClient({ baseURL: '/auth' }),
  // @ts-expect-error a store needs `set` for the new token
  createOtpAuthClient({ refreshToken: { get: () => null } })
]

export async function signIn (email: string, code: string): Promise<string> {
  try {
    const { codeLength, requestId } = await client.requestOtp(email)
    const session: OtpAuthClientSession = await client.verifyOtp(code.slice(0, codeLength), { email, requestId })
    return session.userId
  } catch (error) {
    if (!(error instanceof OtpAuthClientError)) throw error
    const { status, code, message, retryAfter = 0, attemptsRemaining = 0 } = error
    return `${status + retryAfter + attemptsRemaining} ${code} ${message}`
  }
}

const stop: () => void = client.onChange((session) => { document.title = session?.userId ?? 'Sign in' })
stop()
// @ts-expect-error only the client sets the session
client.session = null
// @ts-expect-error null if no user is signed in
String((await client.refresh()).userId)
