/** Mutation tests: `npm run mutate`, or a part, `npm run mutate -- --mutate 'src/use-cases/*.ts'`. See CONTRIBUTING. */

/**
 * Which tests cover which sources: files that run in one process and in milliseconds, so without servers, browsers,
 * processes and races. The first entry whose `sources` a path begins with counts.
 */
const groups = [
  {
    sources: ['src/core/token-cache.ts'],
    tests: ['test/unit/core/token-cache.test.ts', 'test/threats/token-cache.test.ts']
  },
  {
    sources: ['src/core/error-causes.ts'],
    tests: ['test/threats/storage-faults.test.ts', 'test/adapters/users-table.test.ts', 'test/use-cases/users.test.ts']
  },
  {
    sources: ['src/core/type-checks.ts'],
    tests: ['test/unit/options/resolve.test.ts', 'test/unit/options/rules.test.ts']
  },
  {
    sources: ['src/core/tokens.ts', 'src/core/key-derivation.ts', 'src/http/jwt.ts', 'src/http/credentials.ts'],
    tests: [
      'test/unit/core/key-derivation.test.ts', 'test/unit/core/tokens.test.ts', 'test/threats/token-forgery.test.ts', 'test/use-cases/secret-rotation.test.ts',
      'test/application/custom-claims.test.ts', 'test/pinned/stored-values.test.ts',
      'test/application/guards.test.ts', 'test/application/jwt.test.ts', 'test/application/instances.test.ts', 'test/application/refresh-delivery.test.ts'
    ]
  },
  {
    sources: ['src/core/'],
    tests: [
      'test/unit/core/device-cookie.test.ts', 'test/unit/core/duration.test.ts', 'test/unit/core/email.test.ts', 'test/unit/core/with-timeout.test.ts', 'test/unit/core/network.test.ts',
      'test/unit/core/guessing-odds.test.ts', 'test/unit/core/otp-code.test.ts', 'test/unit/core/counter-keys.test.ts', 'test/pinned/stored-values.test.ts',
      'test/use-cases/verify-otp.test.ts'
    ]
  },
  {
    sources: ['src/http/', 'src/openapi/'],
    tests: [
      'test/application/cookies.test.ts', 'test/application/cookie-plugin.test.ts', 'test/application/cross-site.test.ts', 'test/application/content-types.test.ts',
      'test/application/compilers.test.ts', 'test/application/openapi.test.ts', 'test/application/openapi-compilers.test.ts', 'test/application/error-handler.test.ts', 'test/application/guards.test.ts', 'test/application/lifecycle.test.ts',
      'test/application/refresh-delivery.test.ts', 'test/threats/hostile-input.test.ts', 'test/use-cases/request-otp.test.ts'
    ]
  },
  {
    sources: ['src/errors.ts'],
    tests: ['test/unit/errors.test.ts', 'test/threats/storage-faults.test.ts', 'test/application/error-handler.test.ts', 'test/use-cases/users.test.ts']
  },
  {
    sources: ['src/guards/'],
    tests: ['test/application/guards.test.ts', 'test/application/instances.test.ts', 'test/application/otp-auth.test.ts', 'test/application/prefix.test.ts', 'test/use-cases/login.test.ts']
  },
  {
    sources: ['src/use-cases/', 'src/services/'],
    tests: [
      'test/pinned/storage-calls.test.ts', 'test/use-cases/login.test.ts', 'test/use-cases/events.test.ts', 'test/use-cases/verify-otp.test.ts', 'test/use-cases/request-otp.test.ts', 'test/use-cases/refresh.test.ts', 'test/use-cases/users.test.ts',
      'test/threats/hostile-input.test.ts',
      'test/use-cases/delivery.test.ts', 'test/use-cases/cleanup.test.ts', 'test/application/custom-claims.test.ts', 'test/threats/storage-faults.test.ts',
      'test/application/otp-auth.test.ts', 'test/application/refresh-delivery.test.ts'
    ]
  },
  {
    sources: ['src/storage/'],
    tests: [
      'test/use-cases/users.test.ts', 'test/pinned/stored-values.test.ts', 'test/adapters/sqlite.test.ts', 'test/adapters/users-table.test.ts', 'test/threats/storage-faults.test.ts',
      'test/use-cases/verify-otp.test.ts', 'test/use-cases/request-otp.test.ts'
    ]
  }
]

/** Tests of these files that take seconds or start processes. */
const except = [
  'if the application closes during a request, the email of that request is still sent',
  'onClose waits at most deliveryTimeout for a delivery that never ends',
  'the cleanup timer runs, survives a failure, does not keep the process alive and is cleared in onClose',
  'the plugin does not keep an idle process alive',
  'when a storage call fails before or after its effect, the response is 503, nobody is let in and the cookie is kept; login works again once storage is back',
  'better-sqlite3 that returns BigInt keeps the storage contract, with a users table of the application with integer IDs'
]

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [
    'src/{core,http,use-cases,services,guards}/**/*.ts', 'src/openapi/{responses,security-schemes}.ts', 'src/errors.ts', 'src/storage/unavailable.ts',
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
