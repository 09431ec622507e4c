import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'
import { skipWithout } from '../helpers/requirements.ts'

const script = fileURLToPath(new URL('../../.ci/check-commits', import.meta.url))

/** No setting of the person who runs the tests counts, and no variable that git sets in its hooks. */
const environment = {
  ...Object.fromEntries(Object.entries(ownEnvironment()).filter(([name]) => !name.startsWith('GIT_'))),
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'Anna',
  GIT_AUTHOR_EMAIL: 'anna@example.com',
  GIT_COMMITTER_NAME: 'Anna',
  GIT_COMMITTER_EMAIL: 'anna@example.com'
}

const skip = skipWithout('git')

class Repository {
  readonly folder: string

  constructor (t: Test, ...subjects: string[]) {
    this.folder = temporaryFolder(t)
    this.git('init', '--quiet', '--initial-branch', 'main')
    for (const subject of subjects) this.commit(subject)
  }

  git (...args: string[]): string {
    return execFileSync('git', args, { cwd: this.folder, encoding: 'utf8', env: environment }).trim()
  }

  commit (subject: string, ...args: string[]): string {
    this.git('commit', '--quiet', '--allow-empty', '--message', subject, ...args)
    return this.git('rev-parse', 'HEAD')
  }
}

function temporaryFolder (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'otp-auth-commits-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function check (folder: string, { base, program = script }: { base?: string, program?: string } = {}) {
  // tap adds its loader to NODE_OPTIONS, and that loader fails on a module without an extension.
  const args = ['-u', 'NODE_OPTIONS', process.execPath, program, ...base === undefined ? [] : [base]]
  const { status, stdout, stderr } = spawnSync('env', args, { cwd: folder, encoding: 'utf8', env: environment })
  return { status, stdout, stderr }
}

const long = (length: number, filler = 'x') => 'docs: '.padEnd(length - 1, filler) + '.'

t.test('subjects that follow the rule are accepted', { skip }, async (t) => {
  const subjects = [
    ...['feat', 'fix', 'docs', 'test', 'refactor', 'perf', 'build', 'ci', 'chore', 'revert'].map((type) => `${type}: say what changes`),
    'fix(storage): count an attempt once', 'build(deps-dev): move tap', 'refactor(storage/pg): rename a column', 'feat(client)!: drop a name',
    'feat!: require Node.js 22', 'docs: Add a page', 'fix: "quoted", with umlauts and a dash — ok', 'test: add the added row', 'fix: fixed-size keys',
    'docs: embed a picture', long(72)
  ]
  t.same(check(new Repository(t, ...subjects).folder), { status: 0, stdout: `Commit subjects checked: ${subjects.length}. Not valid: 0.\n`, stderr: '' })
})

t.test('each subject that breaks the rule is named, with the reason', { skip }, async (t) => {
  const form = 'Expected "type: subject" or "type(scope): subject". The type is one of feat, fix, '
  const wrong: Record<string, string> = {
    'say what changes': form,
    'feat:no space': form,
    'feat:  two spaces': form,
    'feat(core) no colon': form,
    'fixup! feat: add a page': form,
    'Merge what is no merge': form,
    ': say what changes': form,
    'feature: say what changes': `Unknown type "feature". ${form}`,
    'Feat: say what changes': `Unknown type "Feat". ${form}`,
    'wip: move files': `Unknown type "wip". ${form}`,
    'fix(): say what changes': 'The scope "" is not valid.',
    'fix(The Core): say what changes': 'The scope "The Core" is not valid.',
    'docs: adds a page': 'Write "add" instead of "adds".',
    'docs: Added a page': 'Write "add" instead of "added".',
    'docs: adding a page': 'Write "add" instead of "adding".',
    'docs: removed a page': 'Write "remove" instead of "removed".',
    'docs: removing a page': 'Write "remove" instead of "removing".',
    'fix: fixes a race': 'Write "fix" instead of "fixes".',
    'fix: dropped a column': 'Write "drop" instead of "dropped".',
    'fix: simplifies a query': 'Write "simplify" instead of "simplifies".',
    'fix: simplified a query': 'Write "simplify" instead of "simplified".',
    'fix: made a query simple': 'Write "make" instead of "made".',
    [long(73)]: 'The subject has 73 characters. Shorten it to 72 or fewer.'
  }
  const { status, stdout, stderr } = check(new Repository(t, 'docs: add a page', ...Object.keys(wrong)).folder)
  t.equal(status, 1)
  t.equal(stdout, `Commit subjects checked: ${Object.keys(wrong).length + 1}. Not valid: ${Object.keys(wrong).length}.\n`)
  const reports = [...stderr.matchAll(/^[0-9a-f]{10} (".*")\n {2}(.*)$/gm)]
  const reported = new Map(reports.map(([, subject, reason]) => [JSON.parse(subject!), reason!]))
  t.same([...reported.keys()].sort(), Object.keys(wrong).sort())
  for (const [subject, reason] of Object.entries(wrong)) t.match(reported.get(subject), reason, subject)
})

t.test('the length of a subject is counted in characters, not in bytes', { skip }, async (t) => {
  t.equal(check(new Repository(t, long(72, 'é')).folder).status, 0)
  t.equal(check(new Repository(t, 'docs: ' + '🔑'.repeat(66)).folder).status, 0)
  t.equal(check(new Repository(t, 'docs: ' + '🔑'.repeat(67)).folder).status, 1)
})

t.test('a subject that is wrapped over two lines is one subject', { skip }, async (t) => {
  const { status, stderr } = check(new Repository(t, `docs: ${'x'.repeat(50)}\n${'y'.repeat(30)}`).folder)
  t.equal(status, 1)
  t.match(stderr, 'The subject has 87 characters.')
})

t.test('the body of a message is not checked', { skip }, async (t) => {
  t.equal(check(new Repository(t, `docs: add a page\n\n${'A long line. '.repeat(20)}\n\nadded: more`).folder).status, 0)
})

t.test('merge commits are passed over, the commits that they merge are not', { skip }, async (t) => {
  const repository = new Repository(t, 'feat: add a page')
  repository.git('checkout', '--quiet', '-b', 'side')
  repository.commit('fix: mend a page')
  repository.git('checkout', '--quiet', 'main')
  repository.git('merge', '--quiet', '--no-ff', '--message', 'Merge the branch side', 'side')
  t.same(check(repository.folder), { status: 0, stdout: 'Commit subjects checked: 2. Not valid: 0.\n', stderr: '' })

  repository.git('checkout', '--quiet', 'side')
  repository.commit('more mending')
  repository.git('checkout', '--quiet', 'main')
  repository.git('merge', '--quiet', '--no-ff', '--message', 'Merge the branch side', 'side')
  const { status, stderr } = check(repository.folder)
  t.equal(status, 1)
  t.match(stderr, '"more mending"')
})

t.test('only Dependabot may use more than 72 characters, and its other mistakes count', { skip }, async (t) => {
  const author = (email: string) => ['--author', `dependabot[bot] <${email}>`]
  const repository = new Repository(t)
  repository.commit(long(90), ...author('49699333+dependabot[bot]@users.noreply.github.com'))
  t.equal(check(repository.folder).status, 0)
  const base = repository.commit('Bump a package', ...author('49699333+dependabot[bot]@users.noreply.github.com'))
  t.equal(check(repository.folder).status, 1)
  repository.commit(long(90), ...author('dependabot[bot]@example.com'))
  t.equal(check(repository.folder, { base }).status, 1)
})

t.test('with a base, only the commits after it are checked', { skip }, async (t) => {
  const repository = new Repository(t, 'an old subject')
  const base = repository.git('rev-parse', 'HEAD')
  repository.commit('docs: add a page')
  t.equal(check(repository.folder).status, 1)
  t.same(check(repository.folder, { base }), { status: 0, stdout: 'Commit subjects checked: 1. Not valid: 0.\n', stderr: '' })
  repository.commit('a new subject')
  t.equal(check(repository.folder, { base }).status, 1)
})

t.test('a base that is not in the clone does not turn the check off', { skip }, async (t) => {
  const repository = new Repository(t, 'a subject')
  const base = '0'.repeat(40)
  const { status, stdout } = check(repository.folder, { base })
  t.equal(status, 1)
  t.match(stdout, `The base ${base} is not in this clone, so all commits since the rule started are checked.`)
})

t.test('a shallow clone is checked as far as it goes', { skip }, async (t) => {
  const origin = new Repository(t, 'an old subject', 'docs: add a page')
  const shallowClone = () => {
    const clone = temporaryFolder(t)
    origin.git('clone', '--quiet', '--depth', '1', `file://${origin.folder}`, clone)
    return clone
  }
  t.same(check(shallowClone()), { status: 0, stdout: 'Commit subjects checked: 1. Not valid: 0.\n', stderr: '' })
  origin.commit('a new subject')
  t.equal(check(shallowClone()).status, 1)
})

t.test('commits up to the start of the rule are never checked', { skip }, async (t) => {
  const repository = new Repository(t, 'an old subject')
  const base = repository.git('rev-parse', 'HEAD')
  const start = repository.commit('the last old subject')
  repository.commit('docs: add a page')
  const source = readFileSync(script, 'utf8')
  const realStart = /const start = '([0-9a-f]{40})'/.exec(source)?.[1]
  t.equal(realStart, '8e781d56412f10fcdb610d152fb24b9d681f8e35')
  const program = join(temporaryFolder(t), 'check-commits.mjs')
  writeFileSync(program, source.replace(realStart!, start))
  for (const from of [undefined, base]) {
    const checked = { status: 0, stdout: 'Commit subjects checked: 1. Not valid: 0.\n', stderr: '' }
    t.same(check(repository.folder, { program, ...from !== undefined && { base: from } }), checked)
  }
  repository.commit('a new subject')
  t.equal(check(repository.folder, { program }).status, 1)
})

t.test('a folder without a repository passes, and the script says why', { skip }, async (t) => {
  t.match(check(temporaryFolder(t)), { status: 0, stdout: 'This folder is not a git repository' })
})

t.test('a repository that git cannot read is an error', { skip }, async (t) => {
  t.match(check(new Repository(t).folder), { status: 1, stderr: 'git log failed' })
})
