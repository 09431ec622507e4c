import { execFileSync } from 'node:child_process'
import { ownEnvironment } from './environment.ts'

export interface NodeVersion {
  name: string
  /** The path of its binary. */
  path: string
  /** Arguments for its processes. They replace better-sqlite3, which is compiled only for the version that installed it. */
  execArgv: string[]
}

/** The other versions of Node that `TEST_NODE_VERSIONS` names, such as `22 24`. npx downloads each of them once. */
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
