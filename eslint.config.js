import neostandard from 'neostandard'

export default [
  // ESLint finds files by their extensions. These programs have none.
  { files: ['.ci/check-commits', '.ci/check-release', '.ci/count-tests'] },
  ...neostandard({ ts: true, ignores: ['dist', 'drizzle/*/**', '.tap', '.stryker-tmp', 'reports'] }),
  { rules: { '@stylistic/max-len': ['error', { code: 140, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true }] } }
]
