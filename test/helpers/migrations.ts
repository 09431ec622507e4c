import type { Config } from 'drizzle-kit'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { ownEnvironment } from './environment.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

async function temporaryDirectory (t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'otp-auth-migrations-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

/** Runs drizzle-kit on a copy of the shipped migrations. If a migration is missing, drizzle-kit writes it there. */
export async function regenerate (t: Test, config: Config): Promise<{ before: string[], after: string[], output: string }> {
  const directory = await temporaryDirectory(t)
  const copy = join(directory, 'migrations')
  await cp(join(root, config.out!), copy, { recursive: true })
  const list = async () => (await readdir(copy, { recursive: true })).sort()
  const before = await list()

  const configFile = join(directory, 'config.json')
  // drizzle-kit treats an absolute `out` as a relative path.
  await writeFile(configFile, JSON.stringify({ ...config, out: relative(root, copy) }))
  const { stdout, stderr } = await promisify(execFile)(
    'npx', ['--no-install', 'drizzle-kit', 'generate', '--config', configFile], { cwd: root, env: ownEnvironment() })
  return { before, after: await list(), output: stdout + stderr }
}

/** A migrations folder of an application, with one migration that creates the table `app_orders`. */
export async function applicationMigrations (t: Test, when: number): Promise<string> {
  const folder = await temporaryDirectory(t)
  await mkdir(join(folder, 'meta'))
  await writeFile(join(folder, '0000_orders.sql'), 'create table app_orders (id integer primary key)')
  // The migrator reads only the times and the names.
  await writeFile(join(folder, 'meta/_journal.json'), JSON.stringify({ entries: [{ idx: 0, when, tag: '0000_orders', breakpoints: true }] }))
  return folder
}
