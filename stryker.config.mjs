/** Mutation tests: `npm run mutate`, or a part, `npm run mutate -- --mutate 'src/flows/*.ts'`. See CONTRIBUTING. */

/**
 * Which tests cover which sources: files that run in one process and in milliseconds, so without servers, browsers,
 * processes and races. The first entry whose `sources` a path begins with counts.
 */
const groups = [
  {
    sources: ['src/core/tokens.ts', 'src/core/keys.ts', 'src/http/jwt.ts', 'src/http/bearer.ts'],
    tests: [
      'test/core/keys.test.ts', 'test/core/tokens.test.ts', 'test/tokens.test.ts', 'test/token-claims.test.ts', 'test/token-spelling.test.ts',
      'test/host/guards.test.ts', 'test/host/jwt.test.ts', 'test/host/instances.test.ts', 'test/host/refresh-delivery.test.ts'
    ]
  },
  {
    sources: ['src/core/'],
    tests: [
      'test/core/device.test.ts', 'test/core/duration.test.ts', 'test/core/email.test.ts', 'test/core/in-time.test.ts', 'test/core/network.test.ts',
      'test/core/odds.test.ts', 'test/core/otp-code.test.ts', 'test/core/subject.test.ts', 'test/verify-otp.test.ts'
    ]
  },
  {
    sources: ['src/http/'],
    tests: [
      'test/host/cookies.test.ts', 'test/host/cookie-plugin.test.ts', 'test/host/cross-site.test.ts', 'test/host/content-types.test.ts',
      'test/host/compilers.test.ts', 'test/host/openapi.test.ts', 'test/host/openapi-compilers.test.ts', 'test/host/error-handler.test.ts', 'test/host/guards.test.ts', 'test/host/lifecycle.test.ts',
      'test/host/refresh-delivery.test.ts', 'test/hostile-input.test.ts', 'test/request-otp.test.ts'
    ]
  },
  {
    sources: ['src/errors.ts'],
    tests: ['test/errors.test.ts', 'test/storage-faults.test.ts', 'test/host/error-handler.test.ts', 'test/users.test.ts']
  },
  {
    sources: ['src/decorators/'],
    tests: ['test/host/guards.test.ts', 'test/host/instances.test.ts', 'test/host/otp-auth.test.ts', 'test/host/place.test.ts', 'test/login.test.ts']
  },
  {
    sources: ['src/flows/'],
    tests: [
      'test/statements.test.ts', 'test/login.test.ts', 'test/events.test.ts', 'test/verify-otp.test.ts', 'test/request-otp.test.ts', 'test/refresh.test.ts', 'test/users.test.ts',
      'test/hostile-input.test.ts',
      'test/delivery.test.ts', 'test/cleanup.test.ts', 'test/token-claims.test.ts', 'test/storage-faults.test.ts',
      'test/host/otp-auth.test.ts', 'test/host/refresh-delivery.test.ts'
    ]
  },
  {
    sources: ['src/storage/'],
    tests: [
      'test/users.test.ts', 'test/storage/sqlite.test.ts', 'test/storage/users-table.test.ts', 'test/storage-faults.test.ts',
      'test/verify-otp.test.ts', 'test/request-otp.test.ts'
    ]
  }
]

/** Tests of these files that take seconds or start processes. */
const except = [
  'a request that is still being answered when the application closes has its mail sent, too',
  'onClose waits for a delivery that never ends no longer than deliveryTimeout',
  'the cleanup timer runs, survives a failure, keeps no process alive and is cleared in onClose',
  'a process with nothing else to do ends by itself',
  'a verb that throws before or after it took effect: 503, nothing let through, no cookie lost, and it works once storage is back',
  "better-sqlite3 that hands out BigInt, on a host's own users table with integer ids"
]

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [
    'src/{core,http,flows,decorators}/**/*.ts', 'src/errors.ts', 'src/storage/fail-closed.ts',
    'src/storage/drizzle/*.ts', 'src/storage/drizzle/sqlite/{adapter,statements}.ts'
  ],
  plugins: ['./test/mutation/tap-in-process.js'],
  testRunner: 'tap-in-process',
  tapInProcess: { groups, except },
  // Once, next to the sources of the copy that is mutated: a loader would cost every process a second.
  buildCommand: 'tsc --noEmit false --noCheck',
  coverageAnalysis: 'perTest',
  concurrency: 2,
  dryRunTimeoutMinutes: 20,
  timeoutMS: 20_000,
  timeoutFactor: 2,
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  ignorePatterns: ['/dist', '/.tap', '/.ci', '/.github', '/bench', '/examples', '/reports'],
  reporters: ['clear-text', 'html', 'json', 'progress-append-only'],
  warnings: { slow: false, unknownOptions: false },
  thresholds: { high: 95, low: 85, break: 85 }
}
