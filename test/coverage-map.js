import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Adapters that only a server can run: they count where there is one, as in CI, where a skip fails. */
const needsServer = [
  { files: /^src\/storage\/drizzle\/mysql\//, url: process.env.TEST_MYSQL_URL },
  { files: /^src\/storage\/mongodb/, url: process.env.TEST_MONGODB_URL }
]

const counted = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .filter((file) => !needsServer.some(({ files, url }) => url === undefined && files.test(file)))

/**
 * What counts for coverage: the sources, not the helpers of the tests. The examples run on `dist`, which is the same code
 * again without a map back to `src`, so their tests count for nothing.
 */
export default (test) => /^test\/(?:docs|examples?|schemathesis|smtp)\.test\.ts$/.test(test) ? null : counted
