import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist', 'drizzle/*/**', '.tap'] }),
  { rules: { '@stylistic/max-len': ['error', { code: 140, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true }] } }
]
