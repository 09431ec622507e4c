/**
 * What counts for coverage: the sources, not the helpers of the tests. The example runs on `dist`, which is the same
 * code again without a map back to `src`, so its test counts for nothing.
 */
export default (test) => test === 'test/example.test.ts' ? null : 'src/**/*.ts'
