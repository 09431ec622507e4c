import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pack = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8', env: ownEnvironment() })
const packed: string[] = JSON.parse(pack)[0].files.map(({ path }: { path: string }) => path)
const pages = packed.filter((path) => path.endsWith('.md'))

/** The text without code, in which nothing is a link. */
const withoutCode = (markdown: string) => markdown.replace(/^( *)(```+)[^]*?^\1\2 *$/gm, '').replace(/(`+)[^]*?[^`]\1(?!`)/g, '')

/** Targets of `[text](target)`, `[label]: target`, `href="target"` and `src="target"` that have no scheme such as `https:`. */
function relativeLinks (markdown: string): string[] {
  const text = withoutCode(markdown)
  const inline = [...text.matchAll(/\]\(\s*<?([^\s)>]+)/g)]
  const labels = [...text.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)/gm)]
  const html = [...text.matchAll(/\b(?:href|src)="([^"]+)"/g)]
  return [...inline, ...labels, ...html].map(([, target]) => target!).filter((target) => !/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target))
}

/** The fragments that GitHub gives to the headings of a page. */
function fragments (markdown: string): Set<string> {
  const found = new Set<string>()
  for (const [, heading] of markdown.replace(/^( *)(```+)[^]*?^\1\2 *$/gm, '').matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const text = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '').replace(/\s/g, '-')
    let fragment = text
    for (let n = 1; found.has(fragment); n++) fragment = `${text}-${n}`
    found.add(fragment)
  }
  for (const [, id] of markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)) found.add(id!)
  return found
}

/** @returns what is wrong with a link on a page, if anything is */
function problemOf (page: string, link: string): string | undefined {
  const [path, fragment] = link.split('#') as [string, string?]
  const target = path === '' ? page : posix.join(posix.dirname(page), decodeURIComponent(path))
  if (!packed.includes(target)) return `${page} links to ${link}, which is not a file of the package`
  if (fragment !== undefined && !fragments(readFileSync(join(root, target), 'utf8')).has(decodeURIComponent(fragment))) {
    return `${page} links to ${link}, but ${target} has no heading of that name`
  }
}

t.test('links are found in every form, and nothing in code is one', async (t) => {
  const markdown = [
    '[a](a.md), [b](docs/b.md#part "title") and ![c](<c.png>), [away](https://example.com/x.md), [`code`](d.md)',
    '', '[label]: e.md', '[other]: https://example.com', '<a href="f.md"><img src="g.png"></a>',
    '`[no](no.md)` and ``[no](`no.md)``', '```md', '[no](no.md)', '```', '[mail](mailto:a@example.com) [h](#here)'
  ].join('\n')
  t.strictSame(relativeLinks(markdown).sort(), ['#here', 'a.md', 'c.png', 'd.md', 'docs/b.md#part', 'e.md', 'f.md', 'g.png'])
})

t.test('a heading has the fragment that GitHub gives it', async (t) => {
  const markdown = '# One: *two*, `three()`\n## Same\n### Same\n```sh\n# no heading\n```\n## With [a link](a.md) & more\n<a id="own"></a>\n'
  t.strictSame([...fragments(markdown)], ['one-two-three', 'same', 'same-1', 'with-a-link--more', 'own'])
})

t.test('a link to a file or a heading that is missing is found', async (t) => {
  t.match(problemOf('README.md', 'test/release/links.test.ts'), 'is not a file of the package')
  t.match(problemOf('README.md', 'docs'), 'is not a file of the package', 'a folder is no file')
  t.match(problemOf('README.md', 'SECURITY.md#no-such-part'), 'SECURITY.md has no heading of that name')
  t.match(problemOf('docs/releasing.md', 'README.md'), 'is not a file of the package')
  t.equal(problemOf('docs/releasing.md', '../README.md'), undefined)
})

t.test('every relative link in the documents of the package points at a file of the package', async (t) => {
  for (const page of ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'docs/threat-model.md']) t.ok(pages.includes(page), `${page} is in the package`)
  const links = pages.flatMap((page) => relativeLinks(readFileSync(join(root, page), 'utf8')).map((link) => ({ page, link })))
  t.ok(links.length > 5, `${links.length} links`)
  t.strictSame(links.map(({ page, link }) => problemOf(page, link)).filter((problem) => problem !== undefined), [])
})
