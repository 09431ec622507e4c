import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { ownEnvironment } from '../environment.ts'
import { freshDist } from '../fresh-dist.ts'

export const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface Manifest extends Record<'dependencies' | 'peerDependencies' | 'devDependencies', Record<string, string>> {
  exports: Record<string, unknown>
}

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** Packages that a consumer installs for its own code. */
const consumersOwn = ['@fastify/type-provider-typebox', '@types/better-sqlite3', '@types/node', 'ioredis', 'fastify-type-provider-zod', 'zod']

/** The package as `npm publish` would publish it, in a folder that is removed after the test. */
export class Packed {
  readonly folder = mkdtempSync(join(tmpdir(), 'otp-auth-package-'))
  readonly tarball: string

  constructor (t: Test) {
    t.teardown(() => rmSync(this.folder, { recursive: true, force: true }))
    freshDist()
    const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', this.folder]
    this.tarball = join(this.folder, execFileSync('npm', args, { cwd: root, encoding: 'utf8', env: ownEnvironment() }).trim())
  }

  /**
   * Creates a project with the tarball installed. The tarball is unpacked and not linked, so it finds only the packages beside
   * it: those in its package.json, and those of the consumer. They are links to our node_modules. `npm install --offline` would
   * need all of them in npm's cache, and would compile better-sqlite3 again.
   *
   * @param aliases packages that have another name in our node_modules, such as `{ mongodb: 'mongodb-6' }`
   */
  install (name: string, aliases: Record<string, string> = {}): string {
    const project = join(this.folder, name)
    const modules = join(project, 'node_modules')
    mkdirSync(modules, { recursive: true })
    execFileSync('tar', ['-xzf', this.tarball, '-C', modules])
    renameSync(join(modules, 'package'), join(modules, 'fastify-otp-auth'))
    for (const dependency of [...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), ...consumersOwn]) {
      const link = join(modules, dependency)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(join(root, 'node_modules', aliases[dependency] ?? dependency), link, 'junction')
    }
    cpSync(join(root, 'test/release/consumer'), project, { recursive: true })
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
    return project
  }
}
