import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A code block of the documentation. */
export interface Block {
  /** Where it stands, as `docs/email.md:12`. */
  at: string
  language: string
  code: string
}

const pages = ['README.md', 'SECURITY.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]

export const blocks: readonly Block[] = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^( *)```(\w+)\n([^]*?)^\1```$/gm)].map(({ index, 1: indent, 2: language, 3: code }) => ({
    at: `${page}:${text.slice(0, index).split('\n').length}`,
    language: language!,
    code: code!.replaceAll(`\n${indent!}`, '\n').slice(indent!.length)
  }))
})

export const blocksIn = (...languages: string[]): Block[] => blocks.filter(({ language }) => languages.includes(language))

/** What the blocks may take for granted: the names that a reader knows from the lines before, or from an application of their own. */
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

/** What a user has who set nothing but `strict` and the module system of Node. */
const options: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ['node'],
  strict: true,
  skipLibCheck: true,
  noEmit: true
}

/** Compiles each block as a module of its own, as a user's compiler would with this package installed. @returns what it says */
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

/** A test that a page names as the proof of what it says. */
export interface Proof {
  file: string
  name: string
}

/** The proofs of the threat model: lines such as "- `test/a.test.ts`, `test/b.test.ts`: “a name”". */
export function proofs (): Proof[] {
  const text = readFileSync(join(root, 'docs/threat-model.md'), 'utf8')
  return [...text.matchAll(/^- (`.*`): “(.*)”$/gm)].flatMap(([, files, name]) =>
    [...files!.matchAll(/`([^`]+)`/g)].map(([, file]) => ({ file: file!, name: name! })))
}

/** Whether the file, or a helper that tests share, has a test of that name; names that are put together count, too. */
export function hasTest ({ file, name }: Proof): boolean {
  return [file, ...sharedNames].some((one) => namesIn(one).some((pattern) => pattern.test(name)))
}

const sharedNames = readdirSync(join(root, 'test/helpers'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts')).map((name) => `test/helpers/${name}`)

/** The texts of a file, those that are put together with anything in the place of what is put in. */
function namesIn (file: string): RegExp[] {
  const names: RegExp[] = []
  function visit (node: ts.Node): void {
    if (ts.isStringLiteralLike(node)) names.push(nameOf(node.text))
    // What is put together from nothing but variables would be any name.
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
