import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A small project that is built as this package is. */
const folder = mkdtempSync(join(tmpdir(), 'otp-auth-build-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
for (const name of ['scripts/build.js', 'tsconfig.build.json']) cpSync(join(root, name), join(folder, name))
// The types of Node.js take longer to read than the project.
writeFileSync(join(folder, 'tsconfig.json'), readFileSync(join(root, 'tsconfig.json'), 'utf8').replace('"types": ["node"]', '"types": []'))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
mkdirSync(join(folder, 'src/part'), { recursive: true })
const first = 'export const first = 1\n'
const second = "import { first } from '../first.ts'\nexport const second: number = first + 1\n"

const path = (name: string) => join(folder, name)
const read = (name: string) => readFileSync(path(name), 'utf8')
const build = () => spawnSync(process.execPath, ['scripts/build.js'], { cwd: folder, encoding: 'utf8', env: ownEnvironment() })
const writtenAt = (name: string) => statSync(path(name)).mtimeMs

t.beforeEach(() => {
  rmSync(path('src'), { recursive: true })
  mkdirSync(path('src/part'), { recursive: true })
  writeFileSync(path('src/first.ts'), first)
  writeFileSync(path('src/part/second.ts'), second)
  build()
})

t.test('each source becomes a module and its declarations', async (t) => {
  t.match(read('dist/part/second.js'), /from ['"]\.\.\/first\.js['"]/)
  t.equal(read('dist/part/second.d.ts'), 'export declare const second: number;\n')
})

t.test('a changed source is compiled again, the others are not', async (t) => {
  // An earlier time than that of any later write.
  for (const name of ['dist/first.js', 'dist/part/second.js']) utimesSync(path(name), 1, 1)
  appendFileSync(path('src/first.ts'), '// a comment\n')
  t.equal(build().status, 0)
  t.match(read('dist/first.js'), 'a comment')
  t.not(writtenAt('dist/first.js'), 1000)
  t.equal(writtenAt('dist/part/second.js'), 1000)
})

t.test('a file in dist without a source is removed, with its folder', async (t) => {
  writeFileSync(path('dist/stray.js'), 'export {}')
  rmSync(path('src/part'), { recursive: true })
  t.equal(build().status, 0)
  t.notOk(existsSync(path('dist/stray.js')))
  t.notOk(existsSync(path('dist/part')))
  t.ok(existsSync(path('dist/first.js')))
})

t.test('a file in dist that is missing, or was edited by hand, is made anew', async (t) => {
  rmSync(path('dist/first.js'))
  appendFileSync(path('dist/part/second.js'), '\nexport const edited = 1\n')
  t.equal(build().status, 0)
  t.match(read('dist/first.js'), 'first = 1')
  t.notMatch(read('dist/part/second.js'), 'edited')
})

t.test('when dist is gone, it is built from nothing', async (t) => {
  rmSync(path('dist'), { recursive: true })
  t.equal(build().status, 0)
  t.ok(existsSync(path('dist/part/second.d.ts')))
})

t.test('a type error fails every build until it is corrected, in files that did not change, too', async (t) => {
  writeFileSync(path('src/first.ts'), "export const first = 'one' as const\n")
  for (let n = 0; n < 2; n++) {
    const { status, stdout } = build()
    t.not(status, 0)
    t.match(stdout, /^src\/part\/second\.ts\(2,14\): error TS2322/m)
  }
  writeFileSync(path('src/first.ts'), first)
  t.equal(build().status, 0)
})

t.test('a build with nothing to do still says that dist is newer than the sources', async (t) => {
  const later = new Date()
  utimesSync(path('dist/.tsbuildinfo'), 1, 1)
  for (const name of ['first', 'part/second']) for (const ending of ['js', 'd.ts']) utimesSync(path(`dist/${name}.${ending}`), 1, 1)
  t.equal(build().status, 0)
  t.equal(writtenAt('dist/first.js'), 1000, 'nothing was compiled')
  t.ok(writtenAt('dist/.tsbuildinfo') >= later.getTime())
})
