/**
 * What counts for coverage: the sources, not the helpers of the tests. The examples run on `dist`, which is the same
 * code again without a map back to `src`, so their tests count for nothing.
 */
export default (test) => /^test\/examples?\.test\.ts$/.test(test) ? null : 'src/**/*.ts'
