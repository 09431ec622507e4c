import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Builds `dist` if a source file is newer. It is for tests of code that imports this package by its name, as a user's code
 * does. Call it before such an import, which must therefore be a dynamic import.
 */
export function freshDist () {
  if (builtAt() < newestSource()) execFileSync('npm', ['run', 'build'], { cwd: root })
}

function builtAt () {
  return statSync(join(root, 'dist/.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function newestSource () {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  return Math.max(...sources.map((name) => statSync(join(root, 'src', name)).mtimeMs))
}
