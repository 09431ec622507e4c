import { STATUS_CODES } from 'node:http'
import { Type, type TObject } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { logoutResponse, refreshResponse, requestOtpResponse, verifyOtpResponse } from '../../../src/openapi/own-responses.ts'
import { ROUTE_HEADER, type FuzzApp } from './app.ts'
import { headerOf, type WireAnswer } from './wire.ts'

type Answers = Record<string, TObject>

const closed = { additionalProperties: false }
const Text = Type.String({ minLength: 1 })
const fastifysError = { statusCode: Type.Integer(), error: Text, message: Text }

/** What a route of ours says that it answers, taken at its word: no field more, and of an error's fields none missing. */
function described (responses: object): Answers {
  return Object.fromEntries(Object.entries(responses as Answers).map(([status, { properties }]) =>
    [status, Type.Object({ ...properties, ...(status !== '200' && { ...fastifysError, detail: Text }) }, closed)]))
}

function guarded (success: TObject): Answers {
  const error = Type.Object({ ...fastifysError, code: Text }, closed)
  return { 200: success, 401: error, 403: error }
}

const User = Type.Object({ id: Text, email: Text, isVerified: Type.Boolean() }, closed)
const ROUTES: Record<string, Answers> = {
  '/auth/request-otp': described(requestOtpResponse),
  '/auth/verify-otp': described(verifyOtpResponse),
  '/auth/refresh': described(refreshResponse),
  '/auth/logout': described(logoutResponse),
  '/me': guarded(User),
  '/verified': guarded(Type.Object({ email: Text }, closed)),
  '/optional': guarded(Type.Object({ email: Type.Union([Text, Type.Null()]) }, closed))
}

/** The codes of the errors that are ours alone; what is 400, 413 or 415 is Fastify's, who gives some of them none. */
const CODES: Record<number, RegExp> = {
  401: /^OTP_AUTH_(INVALID_CODE|UNAUTHENTICATED|INVALID_TOKEN|INVALID_REFRESH_TOKEN)$/,
  403: /^OTP_AUTH_(CROSS_SITE|NOT_VERIFIED)$/,
  429: /^OTP_AUTH_TOO_MANY_(ATTEMPTS|REQUESTS)$/,
  503: /^OTP_AUTH_DELIVERY_FAILED$/
}
/** What Node and Fastify answer where no route is found, or where there is no whole request. */
const BEFORE_ROUTES = new Set([400, 404, 408, 413, 415, 417, 431, 505])

/** @returns what is wrong with an answer, in words; `isHead` where it has no body by right */
export function faultsOf (answer: WireAnswer, isHead: boolean): string[] {
  const { status } = answer
  const faults: string[] = []
  const expect = (holds: boolean, fault: string) => { if (!holds) faults.push(fault) }
  const cookies = answer.headers.filter(([name]) => name === 'set-cookie').map(([, line]) => line)
  expect(status === 200 || cookies.length === 0, 'an error sets a cookie')
  expect(cookies.every((line) => /^__Host-[^=]+=[^;]*; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Lax$/.test(line)), 'a cookie without its attributes')
  const route = headerOf(answer, ROUTE_HEADER)
  if (route === undefined || route === 'none') {
    expect(BEFORE_ROUTES.has(status), 'no route answered, and not with 404 or the like')
    return faults
  }

  if (route.startsWith('/auth/')) {
    expect(headerOf(answer, 'cache-control') === 'no-store', 'it may be stored')
    expect((cookies.length > 0) === (status === 200), 'a success sets no cookie')
  }
  const answers = ROUTES[route]
  expect(answers?.[status] !== undefined, 'its status is not described')
  if (faults.length > 0 || isHead) return faults
  const body = JSON.parse(answer.body)
  expect(Value.Check(answers![status]!, body), 'its body is not as described')
  if (status === 200) return faults
  expect(body.statusCode === status && body.error === STATUS_CODES[status], 'its body speaks of another status')
  expect((body.detail ?? body.message) === body.message, 'detail is not the message')
  expect(CODES[status]?.test(body.code) ?? /^(FST_ERR_|undefined$)/.test(String(body.code)), 'it has another code')
  expect(headerOf(answer, 'retry-after') === body.retryAfter?.toString(), 'Retry-After is not retryAfter')
  expect(body.retryAfter === undefined || body.retryAfter >= 1, 'retryAfter is no wait')
  expect((headerOf(answer, 'www-authenticate') !== undefined) === (status === 401 && !route.startsWith('/auth/')), 'WWW-Authenticate is not as it should be')
  return faults
}

/** @returns what is wrong with what is left behind: mails, rows and the log against what was answered */
export function faultsLeftIn ({ client, did, explained, made, secrets }: FuzzApp): string[] {
  const faults: string[] = []
  const expect = (holds: boolean, fault: string) => { if (!holds) faults.push(fault) }
  const column = (sql: string) => client.prepare(sql).pluck().all() as Array<string>
  const accepted = made('/auth/request-otp', 200)
  const bounced = made('/auth/request-otp', 503)
  expect(did.mailed - did.bounced <= accepted, `${did.mailed - did.bounced} emails for ${accepted} answers`)
  expect(bounced === did.bounced, `${bounced} answers of 503 for ${did.bounced} emails refused`)
  expect(did.requested === accepted + bounced, `${did.requested} requests let through for ${accepted} and ${bounced} answers`)

  const challenges = column('select email_hash from otp_challenges')
  expect(challenges.length <= did.requested, `${challenges.length} challenges for ${did.requested} requests`)
  expect(challenges.every((emailHash) => explained.emailHashes.has(emailHash)), 'a challenge of a subject that nobody asked for')
  const unexplained = column('select key from otp_counters').filter((key) => !explained.counters.has(key))
  expect(unexplained.length === 0, `${unexplained.length} counters that no accepted request explains`)
  const sessions = column('select id from otp_sessions').length
  const logins = made('/auth/verify-otp', 200)
  expect(sessions === logins + did.issued, `${sessions} sessions for ${logins} logins and ${did.issued} by the host`)
  const strangers = column('select email from otp_users').filter((email) => !explained.users.has(email))
  expect(strangers.length === 0, `${strangers.length} users who proved nothing`)
  return [...faults, ...secrets.leaks().map((line) => `a secret in the log: ${line}`)]
}
