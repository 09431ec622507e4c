/**
 * Replaces better-sqlite3 with libsql. Load it with `--import` on Node >= 22.15. libsql has the same interface, and its binary
 * runs on every version of Node.
 */
import { registerHooks } from 'node:module'

const standIn = new URL('sqlite-by-libsql.cjs', import.meta.url).href

registerHooks({
  resolve: (specifier, context, next) => specifier === 'better-sqlite3' ? { url: standIn, shortCircuit: true, format: 'commonjs' } : next(specifier, context)
})
