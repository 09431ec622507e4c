/**
 * An application that adds its own columns and claims, and narrows inherited types. It is compiled with the built package and never
 * run. It is a program of its own, because merged declarations apply to the whole program.
 */
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import otpAuth, {
  type CleanupCount, type Guard, type IssuedTokens, type OtpAuthOptions, type OtpAuthUser, type SessionInfo
} from 'fastify-otp-auth'

declare module 'fastify-otp-auth' {
  interface OtpAuthUser { id: string, company: string | null }
  interface OtpAuthClaims { role: 'admin' | 'member' }
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_same: Same<A, B>): void => {}

declare const options: OtpAuthOptions

const app = Fastify()
await app.register(otpAuth, options)

app.get('/me', { onRequest: [app.authenticate] }, async (request) => {
  same<typeof request.user, OtpAuthUser>(true)
  same<typeof request.user.id, string>(true)
  same<typeof request.user.email, string>(true)
  same<typeof request.user.isVerified, boolean>(true)
  same<typeof request.user.company, string | null>(true)
  same<typeof request.customClaims.role, 'admin' | 'member'>(true)
  // @ts-expect-error a column that nobody declared
  same<typeof request.user.salary, undefined>(true)
  // @ts-expect-error a claim that nobody declared
  same<typeof request.customClaims.salary, undefined>(true)
  // @ts-expect-error null if no guard has accepted the request
  String(request.otpAuth.sessionId)
  same<NonNullable<typeof request.otpAuth>['sessionId'], string>(true)
  same<NonNullable<typeof request.otpAuth>['claims'], Readonly<Record<string, unknown>>>(true)
  return request.user
})

for (const guard of [app.authenticate, app.authenticateOptional, app.requireVerified, app.customClaims]) {
  same<typeof guard, Guard>(true)
  same<typeof guard, (request: FastifyRequest, reply: FastifyReply) => Promise<void>>(true)
  app.get('/alone', { onRequest: guard, preHandler: guard }, async () => 'in')
  app.get('/many', { onRequest: [guard, guard], preHandler: [guard], preValidation: [guard] }, async () => 'in')
  app.addHook('onRequest', guard)
  app.addHook('preHandler', guard)
}

same<Awaited<ReturnType<typeof app.otpAuth.issueTokens>>, IssuedTokens>(true)
same<Awaited<ReturnType<typeof app.otpAuth.revokeSession>>, boolean>(true)
same<Awaited<ReturnType<typeof app.otpAuth.revokeAllSessions>>, number>(true)
same<Awaited<ReturnType<typeof app.otpAuth.listSessions>>, SessionInfo[]>(true)
same<Awaited<ReturnType<typeof app.otpAuth.cleanup>>, CleanupCount>(true)
await app.otpAuth.issueTokens({ id: 'u1' })
await app.otpAuth.revokeAllSessions(1)
await app.otpAuth.revokeAllSessions(1n)
// @ts-expect-error a user is an object
await app.otpAuth.issueTokens('u1')
// @ts-expect-error the ID of a session is a text
await app.otpAuth.revokeSession(1)

// The callbacks know the user type of the application too.
export const callbacks = {
  getAdditionalClaims: ({ user, request }) => ({ role: user.company === null ? 'member' : 'admin', url: request?.url }),
  isAllowed: async ({ email, user, request, step }) => {
    same<typeof step, 'request' | 'verify' | 'refresh'>(true)
    same<typeof user, OtpAuthUser | undefined>(true)
    return email.endsWith('@example.com') && user?.company !== 'banned' && request.ip !== ''
  },
  newUserFields: ({ email, request }) => ({ company: email, agent: request.headers['user-agent'] }),
  sendOtp: ({ email, code, expiresAt, isNewUser, request }) => {
    request.log.info({ length: email.length + code.length, at: expiresAt.getTime(), isNewUser })
  },
  onEvent: (event) => {
    if (event.type === 'otp.failed') same<typeof event.failuresInDay, number>(true)
    // @ts-expect-error no event contains a code
    String(event.code)
  }
} satisfies Partial<OtpAuthOptions>
