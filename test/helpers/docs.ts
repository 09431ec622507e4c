import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A code block of the documentation. */
export interface Block {
  /** Page and line, such as `docs/email.md:12`. */
  at: string
  language: string
  code: string
}

/** The text of a page, such as `docs/options.md`. */
export const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
export const pages: readonly string[] = ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...docs]

export const blocks: readonly Block[] = pages.flatMap((page) => {
  const text = textOf(page)
  return [...text.matchAll(/^( *)```(\w+)\n([^]*?)^\1```$/gm)].map(({ index, 1: indent, 2: language, 3: code }) => ({
    at: `${page}:${text.slice(0, index).split('\n').length}`,
    language: language!,
    code: code!.replaceAll(`\n${indent!}`, '\n').slice(indent!.length)
  }))
})

export const blocksIn = (...languages: string[]): Block[] => blocks.filter(({ language }) => languages.includes(language))

/** The blocks of one language on one page, in their order. */
export const blocksOf = (page: string, language: string): string[] =>
  blocksIn(language).filter(({ at }) => at.startsWith(`${page}:`)).map(({ code }) => code)

/** The rows of all tables in a text: the cells of each row by the titles of its table's columns. */
export function tableRows (text: string): Array<Record<string, string>> {
  const rows: Array<Record<string, string>> = []
  let titles: string[] | undefined
  for (const line of text.split('\n')) {
    const cells = /^\|(.*)\|$/.exec(line)?.[1]!.split('|').map((cell) => cell.trim())
    if (cells === undefined) titles = undefined
    else if (titles === undefined) titles = cells
    else if (!cells.every((cell) => /^-+$/.test(cell))) rows.push(Object.fromEntries(titles.map((title, n) => [title, cells[n] ?? ''])))
  }
  return rows
}

/** The texts between backticks. */
export const inBackticks = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)

/** Names that the blocks may use without declaring them: the reader knows them from earlier lines, or from an application. */
const context = `
import type { FastifyInstance } from 'fastify'
import type { default as plugin, OtpAuthOptions, OtpAuthStorage } from 'fastify-otp-auth'
import type { ConformanceDatabase } from 'fastify-otp-auth/storage-conformance'

declare global {
  const app: FastifyInstance
  const otpAuth: typeof plugin
  const secretKey: string
  const storage: OtpAuthStorage
  const officeStorage: OtpAuthStorage
  const sendOtp: OtpAuthOptions['sendOtp']
  const mailer: { send (to: string, text: string): Promise<void> }
  const db: any
  const showUser: (id: string | undefined) => void
  const showError: (message: string, code: string, attemptsRemaining?: number, retryAfter?: number) => void
  const myStorage: (connection: unknown) => OtpAuthStorage
  const createEmptyDatabase: () => Promise<{
    connect (): unknown
    insertUser: ConformanceDatabase['insertUserRow'] extends (user: infer U) => infer R ? (email: U extends { email: infer E } ? E : never, isVerified: boolean) => R : never
    drop (): Promise<void>
  }>
}
`

/** The settings of a user who set only `strict` and the module system of Node. */
const options: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ['node'],
  strict: true,
  skipLibCheck: true,
  noEmit: true
}

/** Compiles each block as a separate module, as a user's compiler would with this package installed. @returns the errors */
export function compile (all: readonly Block[]): string[] {
  const sources = new Map(all.map(({ code }, n) => [join(root, `docs-block-${n}.ts`), `${code}\nexport {}\n`]))
  sources.set(join(root, 'docs-context.ts'), context)
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (file) => sources.has(file) || fileExists(file)
  host.readFile = (file) => sources.get(file) ?? readFile(file)
  const program = ts.createProgram([...sources.keys()], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n')
    const number = /docs-block-(\d+)\.ts$/.exec(file?.fileName ?? '')?.[1]
    if (number === undefined) return `${file?.fileName}: ${message}`
    const { line } = file!.getLineAndCharacterOfPosition(start!)
    return `${all[Number(number)]!.at}, line ${line + 1} of the block: ${message}`
  })
}

/** A test that a page names as the proof of a promise. */
export interface Proof {
  file: string
  name: string
}

/** The proofs of the threat model: lines such as "- `test/a.test.ts`, `test/b.test.ts`: “a name”". */
export function proofs (): Proof[] {
  const text = textOf('docs/threat-model.md')
  return [...text.matchAll(/^- (`.*`): “(.*)”$/gm)].flatMap(([, files, name]) =>
    [...files!.matchAll(/`([^`]+)`/g)].map(([, file]) => ({ file: file!, name: name! })))
}

/** Whether the file, or a helper that tests share, has a test with that name. Names in template strings count too. */
export function hasTest ({ file, name }: Proof): boolean {
  const files = [file, ...sharedNames].filter((one) => existsSync(join(root, one)))
  return files.some((one) => namesIn(one).some((pattern) => pattern.test(name)))
}

const sharedNames = readdirSync(join(root, 'test/helpers'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts')).map((name) => `test/helpers/${name}`)

/** All texts of a file as patterns. In a template string, any text matches a placeholder. */
function namesIn (file: string): RegExp[] {
  const names: RegExp[] = []
  function visit (node: ts.Node): void {
    if (ts.isStringLiteralLike(node)) names.push(nameOf(node.text))
    // A template without text of its own would match any name.
    if (ts.isTemplateExpression(node)) {
      const parts = [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
      if (parts.join('').length > 10) names.push(nameOf(...parts))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2023))
  return names
}

const nameOf = (...parts: string[]) => new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+')}$`)
