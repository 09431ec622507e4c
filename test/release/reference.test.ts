/** The reference pages in docs/ list exactly the options, defaults, error codes, statuses and fields that the code has. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import swagger from '@fastify/swagger'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import Fastify from 'fastify'
import t from 'tap'
import ts from 'typescript'
import { inBackticks, tableRows, textOf } from '../helpers/docs.ts'
import { freshDist } from '../helpers/fresh-dist.ts'

// The types are read from the declarations that users get, which are in `dist`.
freshDist()

const sorted = (names: Iterable<string>) => [...new Set(names)].sort()

/** An option as the types declare it: with its default if that is a literal, such as `'15m'` or `{ max: 60 }`. */
interface DeclaredOption {
  name: string
  literalDefault: string | undefined
}

/** Options by the file that a user imports, and the interface in it. */
const optionTypes = {
  plugin: ['fastify-otp-auth', 'OtpAuthOptions'],
  client: ['fastify-otp-auth/client', 'OtpAuthClientOptions'],
  sqlite: ['fastify-otp-auth/drizzle/sqlite', 'DrizzleStorageOptions'],
  pg: ['fastify-otp-auth/drizzle/pg', 'DrizzleStorageOptions'],
  mysql: ['fastify-otp-auth/drizzle/mysql', 'DrizzleStorageOptions'],
  mongodb: ['fastify-otp-auth/mongodb', 'MongodbStorageOptions']
} as const

/** The options of each type, nested ones by their path: `cookie.secure`, `rateLimit.<route>.max`. */
function declaredOptions (): Record<keyof typeof optionTypes, DeclaredOption[]> {
  const file = join(fileURLToPath(new URL('../..', import.meta.url)), 'reference-options.ts')
  const source = Object.entries(optionTypes)
    .map(([alias, [entry, name]]) => `export type ${alias} = import('${entry}').${name}`).join('\n')
  const settings: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, types: ['node'], strict: true, skipLibCheck: true, noEmit: true
  }
  const host = ts.createCompilerHost(settings)
  const { fileExists, readFile } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.readFile = (name) => name === file ? source : readFile(name)
  const program = ts.createProgram([file], settings, host)
  const checker = program.getTypeChecker()

  /** The object of nested options that a type holds, if it holds one: all of its properties can be left out. */
  function nestedOptions (type: ts.Type): ts.Type | undefined {
    return (type.isUnion() ? type.types : [type]).find((part) =>
      (part.flags & ts.TypeFlags.Object) !== 0 && part.getCallSignatures().length === 0 && part.getConstructSignatures().length === 0 &&
      part.getProperties().length > 0 && part.getProperties().every(({ flags }) => (flags & ts.SymbolFlags.Optional) !== 0))
  }

  function read (type: ts.Type, path: string[]): DeclaredOption[] {
    return type.getProperties().flatMap((property) => {
      const names = [...path, property.name]
      const tag = property.getJsDocTags(checker).find(({ name }) => name === 'default')
      const text = ts.displayPartsToString(tag?.text).trim()
      const option = {
        name: names.length === 3 ? `${names[0]}.<route>.${names[2]}` : names.join('.'),
        literalDefault: /^('[^']*'|\d+|true|false|\{.*\})$/.test(text) ? text : undefined
      }
      // The fourth level is Fastify's own: what `config` of a route may hold.
      const nested = names.length < 3 ? nestedOptions(checker.getTypeOfSymbol(property)) : undefined
      return [option, ...nested === undefined ? [] : read(nested, names)]
    })
  }

  const aliases = program.getSourceFile(file)!.statements.filter(ts.isTypeAliasDeclaration)
  const options = aliases.map((alias) => [alias.name.text, read(checker.getTypeAtLocation(alias), [])])
  return Object.fromEntries(options) as ReturnType<typeof declaredOptions>
}

const declared = declaredOptions()

/** The options that a page documents, with the text of the column `default`. */
function documentedOptions (page: string): Map<string, string | undefined> {
  const rows = tableRows(textOf(page)).filter((row) => 'option' in row)
  return new Map(rows.flatMap((row) => inBackticks(row['option']!).map((name) => [name, row['default']] as const)))
}

const pages: Array<[page: string, options: DeclaredOption[]]> = [
  ['docs/options.md', declared.plugin],
  ['docs/client.md', declared.client],
  ['docs/databases.md', [...declared.sqlite, ...declared.pg, ...declared.mysql, ...declared.mongodb]]
]

for (const [page, options] of pages) {
  t.test(`${page} documents every option and no other one, with the default that the types state`, async (t) => {
    const documented = documentedOptions(page)
    t.ok(options.length > 3)
    t.same(sorted(documented.keys()), sorted(options.map(({ name }) => name)))
    for (const { name, literalDefault } of options) {
      if (literalDefault !== undefined) t.equal(documented.get(name), `\`${literalDefault}\``, name)
    }
  })
}

const errors = textOf('src/errors.ts')
const CODE = /'((?:OTP_AUTH|FST_ERR)_[A-Z_]+)'/g

/** The status of each error code: the third argument of the call that creates its class. */
function statuses (): Record<string, number> {
  const constants = new Map([...errors.matchAll(/const (\w+) = '([A-Z_]+)'/g)].map(([, name, code]) => [name!, code!]))
  const calls = errors.matchAll(/\bcreate(?:Error)?\(\s*'?(\w+)'?,\s*'[^']*',\s*(\d{3})/g)
  return Object.fromEntries([...calls].map(([, code, status]) => [constants.get(code!) ?? code!, Number(status)]))
}

t.test('docs/routes.md documents every error code with its status', async (t) => {
  const codes = sorted([...errors.matchAll(CODE)].map(([, code]) => code!))
  t.ok(codes.length > 10)
  t.same(sorted(Object.keys(statuses())), codes, 'the status of each code is found')
  const rows = tableRows(textOf('docs/routes.md')).filter((row) => 'code' in row)
  t.same(Object.fromEntries(rows.map((row) => [inBackticks(row['code']!)[0], Number(row['status'])])), statuses())
})

t.test('docs/client.md documents the error codes that only the client has', async (t) => {
  const codes = sorted([...textOf('src/client/client.ts').matchAll(CODE)].map(([, code]) => code!)).filter((code) => !errors.includes(code))
  t.ok(codes.length > 0)
  t.same(sorted(tableRows(textOf('docs/client.md')).filter((row) => 'code' in row).flatMap((row) => inBackticks(row['code']!))), codes)
})

interface Operation {
  requestBody?: { content: { 'application/json': { schema: Fields } } }
  responses: Record<string, { content: { 'application/json': { schema: Fields } } }>
}

interface Fields {
  properties: object
}

t.test('docs/routes.md documents the fields and statuses of every route', async (t) => {
  const { default: otpAuth } = await import('fastify-otp-auth')
  const { drizzleStorage } = await import('fastify-otp-auth/drizzle/sqlite')
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, { openapi: {} })
  await app.register(otpAuth, {
    secretKey: 'a secret of the tests, of 32 bytes or more',
    storage: drizzleStorage(drizzle(new Sqlite(':memory:'))),
    sendOtp: () => {},
    refreshTokenDelivery: 'both'
  })
  await app.ready()
  const routes = Object.entries(app.swagger().paths!) as unknown as Array<[string, { post: Operation }]>
  t.equal(routes.length, 4)

  for (const [path, { post }] of routes) {
    const route = path.replace('/auth', '')
    const section = textOf('docs/routes.md').split(/^## /m).find((text) => text.startsWith(`\`POST ${route}\``))!
    const documented = /^Errors: (.*)\.$/m.exec(section)![1]!.split(', ')
    t.same(['200', ...documented], sorted(Object.keys(post.responses)), route)
    const fields = (column: string) => tableRows(section).filter((row) => column in row).flatMap((row) => inBackticks(row[column]!))
    if (fields('request field').length === 0) continue
    t.same(fields('request field'), Object.keys(post.requestBody!.content['application/json'].schema.properties), route)
    t.same(fields('response field'), Object.keys(post.responses['200']!.content['application/json'].schema.properties), route)
  }
})
