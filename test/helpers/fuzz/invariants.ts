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

/** The documented responses of a route, made strict: no other fields, and no missing field of an error. */
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

/** The codes of our own errors. Errors with 400, 413 or 415 are those of Fastify, some of which have no code. */
const CODES: Record<number, RegExp> = {
  401: /^OTP_AUTH_(INVALID_CODE|UNAUTHENTICATED|INVALID_TOKEN|INVALID_REFRESH_TOKEN)$/,
  403: /^OTP_AUTH_(CROSS_SITE|NOT_VERIFIED)$/,
  429: /^OTP_AUTH_TOO_MANY_(ATTEMPTS|REQUESTS)$/,
  503: /^OTP_AUTH_DELIVERY_FAILED$/
}
/** Statuses of Node and Fastify if there is no route or no complete request. */
const BEFORE_ROUTES = new Set([400, 404, 408, 413, 415, 417, 431, 505])

/** @param isHead the response to HEAD has no body @returns what is wrong with the response */
export function faultsOf (answer: WireAnswer, isHead: boolean): string[] {
  const { status } = answer
  const faults: string[] = []
  const expect = (holds: boolean, fault: string) => { if (!holds) faults.push(fault) }
  const cookies = answer.headers.filter(([name]) => name === 'set-cookie').map(([, line]) => line)
  expect(status === 200 || cookies.length === 0, 'an error sets a cookie')
  expect(cookies.every((line) => /^__Host-[^=]+=[^;]*; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Lax$/.test(line)), 'a cookie without its attributes')
  const route = headerOf(answer, ROUTE_HEADER)
  if (route === undefined || route === 'none') {
    expect(BEFORE_ROUTES.has(status), 'the response is from no route, and its status is not one of those for that')
    return faults
  }

  if (route.startsWith('/auth/')) {
    expect(headerOf(answer, 'cache-control') === 'no-store', 'caches may store it')
    expect((cookies.length > 0) === (status === 200), 'a success sets no cookie')
  }
  const answers = ROUTES[route]
  expect(answers?.[status] !== undefined, 'its status is not documented')
  if (faults.length > 0 || isHead) return faults
  const body = JSON.parse(answer.body)
  expect(Value.Check(answers![status]!, body), 'its body is not as documented')
  if (status === 200) return faults
  expect(body.statusCode === status && body.error === STATUS_CODES[status], 'its body has another status')
  expect((body.detail ?? body.message) === body.message, 'detail differs from message')
  expect(CODES[status]?.test(body.code) ?? /^(FST_ERR_|undefined$)/.test(String(body.code)), 'it has an unexpected code')
  expect(headerOf(answer, 'retry-after') === body.retryAfter?.toString(), 'Retry-After differs from retryAfter')
  expect(body.retryAfter === undefined || body.retryAfter >= 1, 'retryAfter is less than a second')
  expect((headerOf(answer, 'www-authenticate') !== undefined) === (status === 401 && !route.startsWith('/auth/')), 'WWW-Authenticate is missing or not expected')
  return faults
}

/** Compares emails, rows and the log with the responses. @returns what is wrong */
export function faultsLeftIn ({ client, did, explained, made, secrets }: FuzzApp): string[] {
  const faults: string[] = []
  const expect = (holds: boolean, fault: string) => { if (!holds) faults.push(fault) }
  const column = (sql: string) => client.prepare(sql).pluck().all() as Array<string>
  const accepted = made('/auth/request-otp', 200)
  const bounced = made('/auth/request-otp', 503)
  expect(did.mailed - did.bounced <= accepted, `${did.mailed - did.bounced} emails for ${accepted} responses`)
  expect(bounced === did.bounced, `${bounced} responses with 503 for ${did.bounced} refused emails`)
  expect(did.requested === accepted + bounced, `${did.requested} accepted requests for ${accepted} and ${bounced} responses`)

  const challenges = column('select email_hash from otp_challenges')
  expect(challenges.length <= did.requested, `${challenges.length} challenges for ${did.requested} requests`)
  expect(challenges.every((emailHash) => explained.emailHashes.has(emailHash)), 'a challenge for an email hash that nobody requested')
  const unexplained = column('select key from otp_counters').filter((key) => !explained.counters.has(key))
  expect(unexplained.length === 0, `${unexplained.length} counters that no accepted request explains`)
  const sessions = column('select id from otp_sessions').length
  const logins = made('/auth/verify-otp', 200)
  expect(sessions === logins + did.issued, `${sessions} sessions for ${logins} logins and ${did.issued} by the application`)
  const strangers = column('select email from otp_users').filter((email) => !explained.users.has(email))
  expect(strangers.length === 0, `${strangers.length} users who never entered a code`)
  return [...faults, ...secrets.leaks().map((line) => `a secret in the log: ${line}`)]
}
