/**
 * Compiles `src` to `dist`: `npm run build`. It compiles only the files that changed. `dist` is still the same as after a full build:
 *
 * - A file in `dist` that has no source any more is removed, so that nothing can import it.
 * - If a file in `dist` is missing or was edited by hand, everything is compiled again. The compiler alone would not notice,
 *   because it compares only the sources.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

/** The compiler's record of the last build. It is in `dist`, so that both are always removed together. */
const buildInfo = 'dist/.tsbuildinfo'

const filesIn = (folder) => existsSync(folder)
  ? readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name))
  : []

const outputs = new Set(filesIn('src')
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => ['.js', '.d.ts'].map((ending) => join('dist', file.slice('src/'.length, -'.ts'.length) + ending))))

/** Whether the file is unchanged since the last build. The compiler writes the build info last. */
const isUntouched = (file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) <= statSync(buildInfo).mtimeMs

for (const file of filesIn('dist')) {
  if (file !== buildInfo && !outputs.has(file)) remove(file)
}
if (existsSync(buildInfo) && ![...outputs].every(isUntouched)) rmSync(buildInfo)

const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.build.json'], { stdio: 'inherit' })
// A build with nothing to do writes nothing. Its time tells tests that `dist` is newer than the sources.
if (status === 0) utimesSync(buildInfo, new Date(), new Date())
process.exitCode = status ?? 1

/** Removes the file, and the folders that are empty then. */
function remove (file) {
  rmSync(file)
  for (let folder = dirname(file); readdirSync(folder).length === 0; folder = dirname(folder)) rmdirSync(folder)
}
