/** Runs the core tests on other versions of Node: those that cover HTTP, tokens, guards and SQLite in one process. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'
import { otherNodeVersions } from '../helpers/node-versions.ts'
import { skipWithout } from '../helpers/requirements.ts'

const core = ['use-cases/login', 'use-cases/verify-otp', 'use-cases/refresh', 'threats/token-forgery', 'application/guards']
const versions = otherNodeVersions()

if (versions.length === 0) t.test('the core on other versions of Node', { skip: skipWithout('TEST_NODE_VERSIONS') }, async () => {})

for (const { name, path, execArgv } of versions) {
  for (const file of core) {
    // These versions of Node strip the types themselves. The results of the file count here.
    const program = fileURLToPath(new URL(`../${file}.test.ts`, import.meta.url))
    t.spawn(path, [...execArgv, program], { env: { ...ownEnvironment(), TAP: '1', TAP_TIMEOUT: '300' } }, `${name}: ${file}`)
  }
}
