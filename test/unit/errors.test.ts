import t from 'tap'
import * as errors from '../../src/errors.ts'

const cause = new Error('the cause')

t.test('each error has its documented code and status', async (t) => {
  const documented: Array<[Error, code: string, status: number, extra?: object]> = [
    [errors.invalidOption('x must be y'), 'OTP_AUTH_INVALID_OPTION', 500],
    [errors.conflict('x'), 'OTP_AUTH_CONFLICT', 500],
    [errors.reservedClaim('sub'), 'OTP_AUTH_RESERVED_CLAIM', 500],
    [errors.invalidEmail('must be one address'), 'FST_ERR_VALIDATION', 400, { validationContext: 'body' }],
    [errors.invalidCode(), 'OTP_AUTH_INVALID_CODE', 401],
    [errors.tooManyAttempts(), 'OTP_AUTH_TOO_MANY_ATTEMPTS', 429],
    [errors.tooManyRequests(1), 'OTP_AUTH_TOO_MANY_REQUESTS', 429],
    [errors.deliveryFailed(), 'OTP_AUTH_DELIVERY_FAILED', 503],
    [errors.userCreationFailed(cause), 'OTP_AUTH_USER_CREATION_FAILED', 500, { cause }],
    [errors.unauthenticated(), 'OTP_AUTH_UNAUTHENTICATED', 401, { headers: { 'www-authenticate': 'Bearer' } }],
    [errors.invalidToken(), 'OTP_AUTH_INVALID_TOKEN', 401, { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }],
    [errors.notVerified(), 'OTP_AUTH_NOT_VERIFIED', 403],
    [errors.invalidRefreshToken(), 'OTP_AUTH_INVALID_REFRESH_TOKEN', 401],
    [errors.crossSite(), 'OTP_AUTH_CROSS_SITE', 403],
    [errors.storageUnavailable(cause), 'OTP_AUTH_STORAGE_UNAVAILABLE', 503, { cause }]
  ]
  for (const [error, code, statusCode, extra] of documented) {
    t.ok(error instanceof Error && error.message.length > 0 && !error.message.includes('%s'), error.message)
    t.match(error, { code, statusCode, ...extra })
    t.notMatch(error.message, /the cause/, 'the message does not reveal the cause')
  }
  t.ok(errors.invalidOption('') instanceof TypeError)
})

t.test('the error for a wrong code has attemptsRemaining only if a number is given', async (t) => {
  t.notOk('attemptsRemaining' in errors.invalidCode())
  for (const left of [0, 4]) t.equal(errors.invalidCode(left).attemptsRemaining, left)
})

t.test('retryAfter is in whole seconds, rounded up, and at least 1', async (t) => {
  for (const [milliseconds, seconds] of [[-5, 1], [0, 1], [1, 1], [1000, 1], [1001, 2], [59_999, 60], [3_600_000, 3600]] as const) {
    t.match(errors.tooManyRequests(milliseconds), {
      retryAfter: seconds, headers: { 'retry-after': String(seconds) }, message: new RegExp(` ${seconds} seconds`)
    })
  }
})

t.test('the error for an invalid email has the form of a Fastify validation error', async (t) => {
  const error = errors.invalidEmail('must be one address')
  t.equal(error.message, 'body/email must be one address')
  t.match((error as unknown as { validation: object[] }).validation, [
    { keyword: 'email', instancePath: '/email', schemaPath: '#/properties/email', params: {}, message: 'must be one address' }
  ])
})
