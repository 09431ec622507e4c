import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'

const script = fileURLToPath(new URL('../../.ci/check-release', import.meta.url))
const repository = { type: 'git', url: 'git+https://git.example/owner/a.name.git' }
const ready = { name: 'a-package', version: '1.2.3', repository }
const changelog = '# Changelog\n\n## 1.2.4 (unreleased)\n\n## 1.2.3 (2026-01-31)\n\nText.\n'

interface Release {
  manifest?: object
  /** The content of CHANGELOG.md. */
  text?: string
  tag?: string
  /** The repository that the workflow runs in, if it does. */
  workflowOf?: string
}

function check (t: Test, { manifest = ready, text = changelog, tag, workflowOf }: Release) {
  const folder = mkdtempSync(join(tmpdir(), 'otp-auth-release-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'CHANGELOG.md'), text)
  // tap adds its loader to NODE_OPTIONS, and that loader fails on a module without an extension.
  const args = ['-u', 'NODE_OPTIONS', process.execPath, script, ...tag === undefined ? [] : [tag]]
  const env = { ...ownEnvironment(), GITHUB_REPOSITORY: workflowOf ?? '' }
  const { status, stdout, stderr } = spawnSync('env', args, { cwd: folder, encoding: 'utf8', env })
  return { status, stdout, stderr }
}

t.test('a release with a date in the changelog, the right tag and its own repository is ready', async (t) => {
  const expected = { status: 0, stdout: 'a-package 1.2.3 is ready to be published.\n', stderr: '' }
  t.same(check(t, {}), expected)
  t.same(check(t, { tag: 'v1.2.3', workflowOf: 'owner/a.name' }), expected)
  for (const own of ['git@git.example:owner/a.name.git', 'owner/a.name', 'github:owner/a.name', { url: 'https://git.example/owner/a.name' }]) {
    t.same(check(t, { manifest: { ...ready, repository: own }, workflowOf: 'owner/a.name' }), expected)
  }
  for (const heading of ['## [1.2.3] - 2026-01-31', '## 1.2.3 - 2026-01-31']) t.same(check(t, { text: heading }), expected)
})

t.test('each mistake is an error that names it', async (t) => {
  const mistakes: Array<[Release, string]> = [
    [{ tag: 'v1.2.4' }, 'The tag v1.2.4 does not match the version 1.2.3 in package.json. Expected the tag v1.2.3.'],
    [{ tag: '1.2.3' }, 'The tag 1.2.3 does not match'],
    [{ text: '## 1.2.30 (2026-01-31)\n## 11.2.3 (2026-01-31)\n### 1.2.3 (2026-01-31)' }, 'CHANGELOG.md has no section for version 1.2.3.'],
    [{ text: '## 1.2.3 (unreleased)' }, 'The heading "## 1.2.3 (unreleased)" in CHANGELOG.md has no date.'],
    [{ manifest: { ...ready, private: true } }, 'package.json has "private": true'],
    [{ manifest: { ...ready, repository: undefined } }, 'package.json has no "repository".'],
    [{ workflowOf: 'other/a.name' }, 'but this workflow runs in other/a.name.'],
    [{ workflowOf: 'owner/a.name2' }, 'but this workflow runs in owner/a.name2.'],
    [{ workflowOf: 'owner/aXname' }, 'but this workflow runs in owner/aXname.']
  ]
  for (const [release, message] of mistakes) {
    const { status, stdout, stderr } = check(t, release)
    t.equal(status, 1, message)
    t.equal(stdout, '')
    t.match(stderr, message)
    t.equal(stderr.trimEnd().split('\n').length, 1, 'one problem')
  }
})

t.test('all mistakes are reported at once', async (t) => {
  const { stderr } = check(t, { manifest: { name: 'a-package', version: '2.0.0' }, tag: 'v1.2.3' })
  t.equal(stderr.trimEnd().split('\n').length, 3)
})
