import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { testFiles, tierOf, tierStarts } from '../tiers.ts'

/** Lowest first. A file imports only from its own part of `src` and from lower layers. A part is a folder, or a file in none. */
const layers = [
  ['errors.ts', 'types'], ['core'], ['storage'], ['options'], ['services'], ['use-cases'], ['http'], ['openapi'], ['ip-limits'],
  ['routes', 'guards'], ['startup'], ['augmentations.ts'], ['plugin.ts'], ['index.ts']
]

/** Parts that are published on their own, and the parts that they may import. */
const apart: Record<string, readonly string[]> = { conformance: ['storage'], client: [] }

/** Parts whose files import no Fastify package. The files that an adapter imports do not either. */
const withoutFastify = ['use-cases', 'services', 'core', 'storage']
const adapters = /^storage\/(drizzle\/|mongodb\/|adapter-options\.ts|contract\.ts)/
const isFastify = (name: string) => /^(fastify(-plugin)?|@fastify\/.*)$/.test(name)

const src = fileURLToPath(new URL('../../src', import.meta.url))
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => name.split(sep).join('/'))

/** What each file imports, types included: paths from `src`, and names of packages. */
const imports = new Map(files.map((file) => [file, importsOf(file)]))

function importsOf (file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(src, file), 'utf8'), true, true)
  return importedFiles.map(({ fileName }) => fileName.startsWith('.') ? posix.join(posix.dirname(file), fileName) : fileName)
}

const partOf = (file: string): string => file.split('/')[0]!
const layerOf = (file: string): number => layers.findIndex((layer) => layer.includes(partOf(file)))
const filesOf = (file: string): string[] => imports.get(file)!.filter((imported) => imports.has(imported))

/** Every pair of a file and a file that it imports. */
const pairs = files.flatMap((file) => filesOf(file).map((imported) => [file, imported] as const))
const inWords = (chosen: ReadonlyArray<readonly [string, string]>) => chosen.map(([file, imported]) => `${file} imports ${imported}`)

/** All files that a file imports, directly or through others. @returns each with the shortest way to it */
function waysFrom (start: string): Map<string, string[]> {
  const ways = new Map<string, string[]>()
  const open: string[][] = [[start]]
  for (const way of open) {
    for (const next of filesOf(way.at(-1)!)) {
      if (ways.has(next)) continue
      ways.set(next, [...way, next])
      open.push([...way, next])
    }
  }
  return ways
}

t.test('every relative import leads to a file of src, and every folder has a layer', async (t) => {
  t.ok(pairs.length > 200, 'imports are found')
  const relative = files.flatMap((file) => imports.get(file)!.filter((name) => name.endsWith('.ts')).map((imported) => [file, imported] as const))
  t.strictSame(inWords(relative.filter(([, imported]) => !imports.has(imported))), [])
  t.strictSame(files.filter((file) => layerOf(file) === -1 && !(partOf(file) in apart)), [])
})

t.test('a file imports only from its own folder and from lower layers', async (t) => {
  const upward = pairs.filter(([file, imported]) => {
    if (partOf(file) === partOf(imported)) return false
    const allowed = apart[partOf(file)]
    if (allowed !== undefined) return !allowed.includes(partOf(imported))
    // A part that is published on its own has no layer. No other part imports it.
    return layerOf(imported) === -1 || layerOf(imported) >= layerOf(file)
  })
  t.strictSame(inWords(upward), [])
})

t.test('no import is circular', async (t) => {
  t.strictSame(files.map((file) => waysFrom(file).get(file)).filter((way) => way !== undefined).map((way) => way.join(' imports ')), [])
})

t.test('no two folders import each other, at any depth', async (t) => {
  // The types of PostgreSQL's tables stand for those of all SQL dialects.
  const exception = 'storage/drizzle/dialect.ts imports storage/drizzle/pg/schema.ts'
  t.ok(inWords(pairs).includes(exception))
  const folders = new Map<string, Set<string>>()
  for (const [file, imported] of pairs) {
    if (inWords([[file, imported]]).includes(exception)) continue
    const [from, to] = [posix.dirname(file), posix.dirname(imported)]
    if (from !== to && from !== '.' && to !== '.') folders.set(from, (folders.get(from) ?? new Set()).add(to))
  }
  const mutual = [...folders].flatMap(([from, tos]) => [...tos].filter((to) => from < to && folders.get(to)?.has(from)).map((to) => `${from} and ${to}`))
  t.strictSame(mutual, [])
})

t.test('the rules, the services, the core and the storage import no Fastify package', async (t) => {
  const found = files.filter((file) => withoutFastify.includes(partOf(file)))
    .flatMap((file) => imports.get(file)!.filter(isFastify).map((name) => [file, name] as const))
  t.strictSame(inWords(found), [])
})

t.test('a storage adapter imports no Fastify package through other files either', async (t) => {
  const found = files.filter((file) => adapters.test(file)).flatMap((file) => {
    const ways = [...waysFrom(file)].filter(([reached]) => imports.get(reached)!.some(isFastify))
    return ways.map(([, way]) => way.join(' imports '))
  })
  t.strictSame(found, [])
})

t.test('every test file belongs to a tier, and test/tiers.ts names no path without tests', async (t) => {
  for (const file of testFiles) t.doesNotThrow(() => tierOf(file))
  t.strictSame(tierStarts.filter((start) => !testFiles.some((file) => file.startsWith(start))), [])
})

t.test('a file that is not a test is a helper', async (t) => {
  const others = /^(helpers|mutation|servers|release\/consumer)\/|^(README\.md|run\.ts|tiers\.ts|coverage-map\.js)$/
  const names = readdirSync(join(src, '../test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => relative(join(src, '../test'), join(entry.parentPath, entry.name)).split(sep).join('/'))
  t.strictSame(names.filter((name) => others.test(name) === name.endsWith('.test.ts')), [])
})

t.test('every source that is mutated belongs to a group, and stryker.config.mjs names only tests and sources that exist', async (t) => {
  const { mutate, tapInProcess: { groups, except } } = (await import(pathToFileURL(join(src, '../stryker.config.mjs')).href)).default as {
    mutate: string[], tapInProcess: { groups: Array<{ sources: string[], tests: string[] }>, except: string[] }
  }
  const patterns = mutate.map((glob) => new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll(/\{(.*?)\}/g, (_, names) => `(${names.replaceAll(',', '|')})`)
    .replaceAll('**/', '(.+/)?').replaceAll(/(?<!\))\*/g, '[^/]*')}$`))
  const paths = files.map((file) => `src/${file}`)
  const mutated = paths.filter((path) => patterns.some((pattern) => pattern.test(path)))
  t.ok(mutated.length > 40, `${mutated.length} sources`)
  t.strictSame(mutate.filter((_, n) => !paths.some((path) => patterns[n]!.test(path))), [])
  const starts = groups.flatMap(({ sources }) => sources)
  t.strictSame(mutated.filter((path) => !starts.some((start) => path.startsWith(start))), [])
  t.strictSame(starts.filter((start) => !mutated.some((path) => path.startsWith(start))), [])
  const tests = groups.flatMap(({ tests }) => tests)
  t.strictSame(tests.filter((file) => !testFiles.includes(file)), [])
  const texts = tests.map((file) => readFileSync(join(src, '..', file), 'utf8'))
  t.strictSame(except.filter((name) => !texts.some((text) => text.includes(`t.test('${name}'`))), [])
})
