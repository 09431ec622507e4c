import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist', 'drizzle/*/**', '.tap', '.stryker-tmp', 'reports'] }),
  { rules: { '@stylistic/max-len': ['error', { code: 140, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true }] } }
]
