import t from 'tap'
import { readEmail } from '../../../src/core/email.ts'
import { seededNumbers } from '../../helpers/random.ts'

const read = (typed: string) => {
  const result = readEmail(typed)
  return 'email' in result ? result.email : null
}
const isRefused = (typed: string) => typeof (readEmail(typed) as { reason?: string }).reason === 'string'

t.test('an email is trimmed and lowercased in ASCII, and its tags and dots are kept', async (t) => {
  const spellings = {
    'anna@example.com': 'anna@example.com',
    ' Anna@Example.COM\t': 'anna@example.com',
    'anna@example.com\r\n': 'anna@example.com',
    '\u00A0anna@example.com\u2003': 'anna@example.com',
    'Anna.B+Shop@GMail.com': 'anna.b+shop@gmail.com',
    "o'neil!#$%&*/=?^_`{|}~-@example.com": "o'neil!#$%&*/=?^_`{|}~-@example.com",
    '1@2.example': '1@2.example',
    'a@b.c.d.e.example': 'a@b.c.d.e.example',
    'a@x--y.io': 'a@x--y.io'
  }
  for (const [typed, email] of Object.entries(spellings)) t.equal(read(typed), email, JSON.stringify(typed))
})

t.test('domains in other scripts become A-labels, in one spelling', async (t) => {
  const spellings = {
    'a@bücher.example': 'a@xn--bcher-kva.example',
    'a@BÜCHER.example': 'a@xn--bcher-kva.example',
    'a@bu\u0308cher.example': 'a@xn--bcher-kva.example',
    'a@xn--bcher-kva.example': 'a@xn--bcher-kva.example',
    'a@例え.テスト': 'a@xn--r8jz45g.xn--zckzah',
    'a@हिन्दी.example': 'a@xn--j2bd4cyah0f.example',
    'a@ｅｘａｍｐｌｅ.com': 'a@example.com',
    'a@ＥＸＡＭＰＬＥ.com': 'a@example.com'
  }
  for (const [typed, email] of Object.entries(spellings)) t.equal(read(typed), email, typed)
  // Domains that only look alike stay different: the Cyrillic а is not the Latin a.
  t.equal(read('a@ex\u0430mple.com'), 'a@xn--exmple-4nf.com')
})

t.test('lists, display names and header injection are refused', async (t) => {
  const tricks = [
    'a@x.io,b@y.io', 'a@x.io, b@y.io', 'a@x.io;b@y.io', 'a@x.io b@y.io', '<a@x.io>', 'Anna <a@x.io>', '"a"@x.io', '"a b"@x.io',
    "'a@x.io'", 'a@x.io\r\nBcc: z@y.io', 'a\r\nb@x.io', 'a@x\r\n.io', 'a@x.io\nz', 'a\r@x.io', 'a\n@x.io', 'a\t@x.io', 'a\0@x.io',
    'a@x.io\0', 'a@x\0.io', 'a\u007f@x.io', 'a\u0085b@x.io', 'a@@x.io', 'a@b@x.io', 'a@x.io@', '@a@x.io', 'a＠x.io', 'a@b＠x.io', 'a﹫x.io',
    'a(comment)@x.io', 'a@x.io(comment)', 'a:b@x.io', 'group:a@x.io;', 'mailto:a@x.io', 'a\\@x.io', '[a]@x.io', 'a @x.io', 'a@ x.io'
  ]
  for (const typed of tricks) t.ok(isRefused(typed), JSON.stringify(typed))
})

t.test('zero-width and other invisible characters are refused at every position', async (t) => {
  const invisible = '\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B\u180E\u200B\u200C\u200D\u200E\u200F\u202A\u202E\u2060\u2066\u206F\u3164\uFE00\uFE0F\uFEFF\uFFA0\u{E0001}\u{E0061}\u{E0100}'
  for (const character of invisible) {
    const name = `U+${character.codePointAt(0)!.toString(16)}`
    const typed = [`a${character}b@example.com`, `a@exa${character}mple.com`, `a@example.c${character}om`, `a${character}@example.com`]
    t.strictSame(typed.map(isRefused), [true, true, true, true], name)
    t.strictSame(typed.map((one) => 'reason' in readEmail(one, (given) => given)), [true, true, true, true], `${name}, with normalizeEmail of the application`)
  }
})

t.test('a domain that domainToASCII would decode, cut or turn into an IP address is refused', async (t) => {
  const domains = [
    'ex%61mple.com', 'x.io/..', 'x.io/', 'x.io\\', 'x.io?q', 'x.io#f', 'x.io:25', 'user:pw', '2130706433', '0x7f000001', '0x7f.1', '127.1',
    '127.0.0.1', '1.2.3', '[127.0.0.1]', '[::1]', '::1', '[IPv6:::1]', 'x.1', 'x.0x1', '１２７.0.0.1', 'x_y.io', 'x!.io', 'x。io', 'x．io', '℀.io', '①.io'
  ]
  for (const domain of domains) t.ok(isRefused(`a@${domain}`), domain)
})

t.test('a domain must have at least two valid labels and no dot at the end', async (t) => {
  const domains = ['', '.', 'localhost', 'io', 'x.io.', '.x.io', 'x..io', '-x.io', 'x-.io', 'x.-io', 'x.io-', `${'x'.repeat(64)}.io`, 'xn--.io', 'xn--a.io']
  for (const domain of domains) t.ok(isRefused(`a@${domain}`), domain)
  t.equal(read(`a@${'x'.repeat(63)}.io`), `a@${'x'.repeat(63)}.io`)
})

t.test('the local part must be an ASCII dot-atom', async (t) => {
  const locals = ['', ' ', '.', '.a', 'a.', 'a..b', 'ä', 'é', 'мама', 'ａ', 'mıke', 'straße', '\u212A', '\u017F', 'a\u0301', '用户', '😀']
  for (const local of locals) t.ok(isRefused(`${local}@example.com`), JSON.stringify(local))
})

t.test('an email has at most 64 characters before the at sign and 254 in all', async (t) => {
  const domain = (length: number) => `${'x'.repeat(60)}.${'x'.repeat(60)}.${'x'.repeat(60)}.${'x'.repeat(length - 183)}`
  t.equal(domain(189).length, 189)
  const longest = `${'a'.repeat(64)}@${domain(189)}`
  t.equal(longest.length, 254)
  t.equal(read(longest), longest)
  t.equal(read(`  ${longest}  `), longest, 'spaces around it do not count')
  t.ok(isRefused(`${'a'.repeat(64)}@${domain(190)}`), '255 characters')
  t.ok(isRefused(`${'a'.repeat(65)}@example.com`), '65 characters before the at sign')
  t.ok(isRefused(`${'a'.repeat(64)}@${'bücher.'.repeat(26)}de`), '254 characters as typed, more as A-labels')
})

t.test('normalizeEmail of the application decides the spelling, and its result is checked', async (t) => {
  const by = (returned: unknown) => readEmail('typed@example.com', () => returned as string)
  t.same(by('Anna@Example.COM'), { email: 'Anna@example.com' }, 'the local part as returned, the domain normalized')
  t.same(by('müller@example.com'), { email: 'müller@example.com' }, 'letters beyond ASCII are allowed here')
  t.same(by('用户@例え.テスト'), { email: '用户@xn--r8jz45g.xn--zckzah' })
  for (const local of ['élan.ève', 'e\u0301lan.e\u0301ve', 'a.1', 'a.b.c', '१.२']) t.same(by(`${local}@example.com`), { email: `${local}@example.com` })
  t.same(readEmail(' a.b@GMAIL.com', (typed) => typed.trim().replace('.', '')), { email: 'ab@gmail.com' }, 'it receives the text as it was typed')
  for (const returned of [undefined, null, 1, true, ['a@x.io'], { email: 'a@x.io' }, Promise.resolve('a@x.io'), '']) {
    t.match(by(returned), { reason: String }, `returned ${String(returned)}`)
  }
  for (const returned of ['a@x.io,b@y.io', '<a@x.io>', 'a@x.io\r\nBcc: z@y.io', ' a@x.io', '"ä"@x.io', 'ä ö@x.io', 'ä\0@x.io', 'ä＠x.io', '😀@x.io']) {
    t.match(by(returned), { reason: String }, JSON.stringify(returned))
  }
  const secret = 'a secret reason'
  const thrown = readEmail('a@x.io', () => { throw new Error(secret) })
  t.match(thrown, { reason: String })
  t.notMatch(thrown, { reason: new RegExp(secret) })
})

t.test('reading an email that was already read does not change it', async (t) => {
  const number = seededNumbers('email')
  const letters = [...'aZ09.-+_@@. ,"<>\r\n\0\u200Bäßı\u017F\u212Aａ例१\u0301％%/\\:;xn--']
  const plain = [...'abcXYZ019-äß例ａ\u0301']
  const some = (from: string[], most: number) => Array.from({ length: 1 + number(most) }, () => from[number(from.length)]).join('')
  let accepted = 0
  for (let round = 0; round < 20_000; round++) {
    const typed = round % 2 === 0 ? some(letters, 14) : `${some([...'abC1.+'], 5)}@${some(plain, 5)}.${some(plain, 5)}`
    const once = read(typed)
    if (once === null) continue
    accepted++
    if (read(once) !== once) t.fail(`${JSON.stringify(typed)} is read as ${once}, which is read as ${read(once)}`)
    if (!/^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]+\.[a-z0-9-]+$/.test(once)) t.fail(`${JSON.stringify(once)} is not plain`)
  }
  t.ok(accepted > 500, `${accepted} addresses were read`)
})

t.test('the reason for a refusal completes the sentence "email …"', async (t) => {
  const reasons = {
    'has invisible characters': ['a\u200B@x.io', 'a\u200B@@x.io'],
    'must be one address with one "@"': ['', 'anna', '@x.io', 'a@b@x.io', 'a@'.repeat(200)],
    'has characters before the "@" that are not allowed': ['a b@x.io', 'ä@x.io', 'a b@localhost'],
    'must have at most 64 characters before the "@"': [`${'a'.repeat(65)}@x.io`],
    'must have a domain name after the "@"': ['a@', 'a@localhost', 'a@x.io.', 'a@1.2.3.4'],
    'must not be longer than 254 characters': [`a@${`${'x'.repeat(60)}.`.repeat(4)}${'x'.repeat(9)}`]
  }
  for (const [reason, addresses] of Object.entries(reasons)) {
    for (const typed of addresses) t.same(readEmail(typed), { reason }, typed)
  }
  for (const normalizeEmail of [() => { throw new Error('no') }, () => 1 as unknown as string]) t.same(readEmail('a@x.io', normalizeEmail), { reason: 'is not accepted by this application' })
})
