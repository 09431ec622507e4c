/**
 * A page's script that uses the client: types of a browser, none of Node's. Compiled, never run: a program of its own on the
 * built package, whose declarations are checked with it.
 */
import { createOtpAuthClient, OtpAuthClientError, type OtpAuthClient, type OtpAuthClientSession } from 'fastify-otp-auth/client'

const client: OtpAuthClient = createOtpAuthClient()

// Whatever takes a fetch takes the client's.
export const fetchAsUser: typeof fetch = client.fetch

export const clients = [
  createOtpAuthClient({ baseUrl: 'https://api.example/auth', credentials: 'include', timeout: 5000 }),
  createOtpAuthClient({ fetch, tabs: { locks: navigator.locks, channel: new BroadcastChannel('mine') } }),
  createOtpAuthClient({ fetch: window.fetch.bind(window), tabs: {} }),
  createOtpAuthClient({ refreshToken: { get: () => localStorage.getItem('t'), set: async (token) => localStorage.setItem('t', token ?? '') } }),
  // @ts-expect-error a typo
  createOtpAuthClient({ baseURL: '/auth' }),
  // @ts-expect-error the store must take the rotated token
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
// @ts-expect-error nobody but the client signs in
client.session = null
// @ts-expect-error there may be nobody
String((await client.refresh()).userId)
