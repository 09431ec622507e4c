import { execFileSync } from 'node:child_process'
import { ownEnvironment } from './environment.ts'

export interface NodeVersion {
  name: string
  /** Its binary. */
  path: string
  /** What its processes need: better-sqlite3 is compiled for the version that installed it, and for no other. */
  execArgv: string[]
}

/** The versions of Node that `TEST_NODE_VERSIONS` names beside the one in use, such as `22 24`; npx fetches them once. */
export function otherNodeVersions (): NodeVersion[] {
  const versions = (process.env['TEST_NODE_VERSIONS'] ?? '').split(/[\s,]+/).filter((version) => version !== '')
  return versions.map((version) => ({
    name: `Node ${version}`,
    path: execFileSync('npx', ['--yes', '--package', `node@${version}`, 'node', '--print', 'process.execPath'], {
      encoding: 'utf8', env: ownEnvironment()
    }).trim(),
    execArgv: ['--import', import.meta.resolve('./sqlite-by-libsql.js'), '--disable-warning=ExperimentalWarning']
  }))
}
