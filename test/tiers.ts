import { readdirSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The tier of each test file, by how its path begins. The longest beginning counts. `npm test` runs all tiers.
 *
 * `fast`: needs no server and no browser, starts no process that takes long, and may share one process with other files.
 */
const tiers = {
  'test/unit/': 'fast',
  'test/use-cases/': 'fast',
  'test/application/': 'fast',
  'test/client/': 'fast',
  'test/pinned/': 'fast',
  'test/threats/': 'fast',
  'test/threats/enumeration': 'races',
  'test/threats/fuzz': 'races',
  'test/threats/races': 'races',
  'test/threats/killed-process': 'races',
  'test/threats/model': 'db',
  'test/threats/outage': 'db',
  'test/adapters/': 'db',
  'test/release/': 'release'
} as const

export type Tier = typeof tiers[keyof typeof tiers]

/** The beginnings of paths that have a tier. */
export const tierStarts: readonly string[] = Object.keys(tiers)

export const tierNames: readonly string[] = [...new Set(Object.values(tiers))]

/** @throws if no beginning of the path is in the table above */
export function tierOf (file: string): Tier {
  const starts = Object.entries(tiers).filter(([start]) => file.startsWith(start))
  const longest = starts.sort(([one], [other]) => other.length - one.length)[0]
  if (longest === undefined) throw new Error(`"${file}" belongs to no tier. Add its folder to test/tiers.ts`)
  return longest[1]
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** All test files, as paths from the root of the project. */
export const testFiles: readonly string[] = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts')).map((name) => posix.join('test', ...name.split(sep))).sort()
