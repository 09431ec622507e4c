import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'
import { otherNodeVersions } from '../helpers/node-versions.ts'
import { compile } from '../helpers/package/compile.ts'
import { undocumented } from '../helpers/package/documented.ts'
import { Packed, manifest, root } from '../helpers/package/packed.ts'
import { signIn } from '../helpers/package/sign-in.ts'

const execute = promisify(execFile)
const packed = new Packed(t)
/** An application with the newest MongoDB driver, and one with the oldest. */
const project = packed.install('project')
const older = packed.install('older', { mongodb: 'mongodb-6' })
const installed = join(project, 'node_modules/fastify-otp-auth')

const filesIn = (folder: string) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
const files = filesIn(installed)

t.test('the package contains the compiled sources, the migrations and the documents, and nothing else', async (t) => {
  const made = filesIn(join(root, 'src')).map((name) => name.slice(0, -'.ts'.length))
  const dist = made.flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`])
  const migrations = filesIn(join(root, 'drizzle')).filter((name) => name.includes('/')).map((name) => `drizzle/${name}`)
  const docs = filesIn(join(root, 'docs')).map((name) => `docs/${name}`)
  const documents = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', ...docs]
  t.strictSame([...files].sort(), ['package.json', ...documents, ...dist, ...migrations].sort())
})

t.test('no file in the package names a folder of the build machine or a source map', async (t) => {
  const names = (text: string) => text.includes(root) || /["'(]\/(home|root|work|tmp|Users)\/|sourceMappingURL/.test(text)
  t.strictSame(files.filter((file) => names(readFileSync(join(installed, file), 'utf8'))), [])
})

t.test('every package that the code imports is a declared dependency', async (t) => {
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }))
  for (const file of files.filter((name) => /\.(js|d\.ts)$/.test(name))) {
    const code = readFileSync(join(installed, file), 'utf8').replace(/\/\*[^]*?\*\//g, '')
    for (const [, name] of code.matchAll(/(?:from |import |import\()["']((?:@[^/"']+\/)?[^./"'][^/"']*)[^"']*["']/g)) {
      if (!name!.startsWith('node:') && !declared.has(name!)) t.fail(`${file} imports ${name}`)
    }
  }
})

t.test('publint and attw report no problem', async (t) => {
  await execute(join(root, 'node_modules/.bin/publint'), ['run', packed.tarball, '--strict'], { cwd: root, env: ownEnvironment() })
  await execute(join(root, 'node_modules/.bin/attw'), [packed.tarball, '--profile', 'esm-only'], { cwd: root, env: ownEnvironment() })
})

/** Hooks of a module loader that print the URL of each module, one per line. */
const printImports = `import { writeSync } from 'node:fs'
  export async function resolve (name, context, next) {
    const found = await next(name, context)
    writeSync(1, found.url + '\\n')
    return found
  }`

t.test('each entry point loads only the driver that it is for', async (t) => {
  const drivers = ['@electric-sql/pglite', '@libsql/client', 'better-sqlite3', 'drizzle-orm', 'mongodb', 'mysql2', 'pg', 'postgres']
  const needs: Record<string, string[]> = {
    './drizzle/sqlite': ['drizzle-orm'], './drizzle/pg': ['drizzle-orm'], './drizzle/mysql': ['drizzle-orm'], './mongodb': ['mongodb']
  }
  const entries = Object.keys(manifest.exports).filter((name) => name !== './package.json')
  await Promise.all(entries.map(async (entry) => {
    const program = `import { register } from 'node:module'
      register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(printImports)}`)})
      await import('fastify-otp-auth${entry.slice(1)}')`
    const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', program], { cwd: project, env: ownEnvironment() })
    t.match(stdout, '/node_modules/fastify-otp-auth/dist/', `${entry} is traced`)
    t.strictSame(drivers.filter((name) => stdout.includes(`/node_modules/${name}/`)), needs[entry] ?? [], entry)
  }))
})

t.test('TypeScript compiles the package as applications use it', async (t) => {
  const esm = compile(join(project, 'esm'))
  t.strictSame(esm.errors, [], 'from ESM')
  t.strictSame(undocumented(esm.program), [], 'every option, method and default has a comment for editors')
  t.strictSame(compile(join(project, 'client')).errors, [], 'in a page, with the types of a browser and without those of Node')
  t.strictSame(compile(join(project, 'jwt')).errors, [], 'with @fastify/jwt and @fastify/cookie in the same application')
  const cjs = compile(join(older, 'cjs'))
  t.strictSame(cjs.errors, [], 'from CommonJS, with version 6 of the MongoDB driver')

  const servers = { 'by import': esm.emit('server.ts'), 'by require()': cjs.emit('server.cts') }
  for (const { name, ...node } of [{ name: 'this Node' }, ...otherNodeVersions()]) {
    for (const [how, program] of Object.entries(servers)) {
      t.test(`installed and loaded ${how}, the package logs a user in on ${name}`, async (t) => {
        t.match(await signIn(program, node), {
          stranger: { status: 401, body: { code: 'OTP_AUTH_UNAUTHENTICATED' } },
          user: { status: 200, body: { email: 'anna@example.com', isVerified: true } }
        })
      })
    }
  }
  t.match(readFileSync(servers['by require()'], 'utf8'), 'require("fastify-otp-auth")')
})

t.test('in JavaScript, require() returns the same exports as import', async (t) => {
  const required = createRequire(join(project, 'index.js'))('fastify-otp-auth')
  t.equal(typeof required.default, 'function')
})
