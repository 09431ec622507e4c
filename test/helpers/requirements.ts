import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Chromium's program. */
export const chromiumPath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** Programs by the Debian package that has them. */
const packages = { openssl: 'openssl', git: 'git', bash: 'bash', curl: 'curl' }

/** Environment variables, and how to get what they name. */
const variables = {
  TEST_POSTGRES_URL: 'start a server with test/servers/postgres.sh',
  TEST_MYSQL_URL: 'start a server with test/servers/mariadb.sh',
  TEST_MONGODB_URL: 'start a server with test/servers/mongodb.sh',
  TEST_REDIS_URL: 'start a server with test/servers/redis.sh',
  TEST_SCHEMATHESIS: "pip install 'schemathesis>=4.32,<5', and set it to the path of its command",
  TEST_NODE_VERSIONS: "set it to other versions of Node.js, such as '22 24'. npx downloads them"
}

export type Requirement = keyof typeof packages | keyof typeof variables | 'chromium'

function canRun (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const isInstalled = (program: string) => (process.env['PATH'] ?? '').split(delimiter).some((folder) => canRun(join(folder, program)))

function reasonFor (requirement: Requirement): string | false {
  if (requirement === 'chromium') {
    return !canRun(chromiumPath) && 'Chromium is not installed: apt-get install chromium, or set CHROMIUM_PATH'
  }
  if (requirement in variables) {
    return !process.env[requirement] && `${requirement} is not set: ${variables[requirement as keyof typeof variables]}`
  }
  return !isInstalled(requirement) && `${requirement} is not installed: apt-get install ${packages[requirement as keyof typeof packages]}`
}

/**
 * For tap's `skip`: what this machine lacks, and what to install. A machine that has only Node.js skips tests, and does not
 * fail. CI has everything and counts a skip as a failure.
 */
export function skipWithout (...requirements: Requirement[]): string | false {
  return requirements.map(reasonFor).find((reason) => reason !== false) ?? false
}
