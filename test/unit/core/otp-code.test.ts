import { createHash } from 'node:crypto'
import t from 'tap'
import { LONG_CODE_LENGTH, macOfCode, makeCode, normalizeCode } from '../../../src/core/otp-code.ts'
import { countingRandom } from '../../helpers/random.ts'

t.test('a code is one uniform random number of its length, padded with zeros', async (t) => {
  for (let length = 6; length <= 12; length++) {
    const random = countingRandom()
    t.match(makeCode(length, random), new RegExp(`^\\d{${length}}$`))
    t.strictSame(random.asked, { int: [10 ** length], bytes: [] }, 'drawn once, from exactly 10^length')
    t.equal(makeCode(length, countingRandom(() => 0)), '0'.repeat(length), 'the lowest')
    t.equal(makeCode(length, countingRandom(() => 42)), '42'.padStart(length, '0'), 'a low one')
    t.equal(makeCode(length, countingRandom((max) => max - 1)), '9'.repeat(length), 'the highest')
  }
})

t.test('the long code is 13 characters of Crockford\'s base 32, each drawn separately: 65 bits', async (t) => {
  const seen = new Set<string>()
  for (let round = 0; round < 200; round++) {
    const random = countingRandom()
    const code = makeCode(LONG_CODE_LENGTH, random)
    t.match(code, /^[0-9A-HJKMNP-TV-Z]{13}$/)
    t.strictSame(random.asked, { int: Array(13).fill(32), bytes: [] })
    for (const letter of code) seen.add(letter)
  }
  t.equal(seen.size, 32, 'every character is used')
  let next = 0
  t.equal(makeCode(13, countingRandom(() => next++)), '0123456789ABC')
  t.equal(makeCode(13, countingRandom(() => 31)), 'Z'.repeat(13))
})

t.test('a code is read correctly however it was typed or pasted', async (t) => {
  const spellings = {
    'as it is': '123456',
    'a space in the middle': '123 456',
    'spaces around': '  123456\n',
    'a dash': '123-456',
    'an en dash': '123\u2013456',
    'an em dash': '123\u2014456',
    'a non-breaking hyphen': '123\u2011456',
    'a non-breaking space': '123\u00A0456',
    'a narrow non-breaking space': '123\u202F456',
    'an ideographic space': '123\u3000456',
    'a line separator': '123\u2028456',
    'zero-width spaces': '\u200B123\u200B456\u200B',
    'a zero-width joiner': '123\u200D456',
    'a byte order mark': '\uFEFF123456',
    'a soft hyphen': '123\u00AD456',
    'marks of direction': '\u202A123456\u202C\u200E\u200F',
    'Arabic-Indic digits': '١٢٣٤٥٦',
    'extended Arabic-Indic digits': '۱۲۳۴۵۶',
    'Devanagari digits': '१२३४५६',
    'Bengali digits': '১২৩৪৫৬',
    'Thai digits': '๑๒๓๔๕๖',
    'full-width digits': '１２３４５６',
    'bold mathematical digits': '𝟏𝟐𝟑𝟒𝟓𝟔',
    'double-struck mathematical digits': '𝟙𝟚𝟛𝟜𝟝𝟞',
    'monospace mathematical digits': '𝟷𝟸𝟹𝟺𝟻𝟼',
    'several scripts at once': '1२３٤𝟓6'
  }
  for (const [name, typed] of Object.entries(spellings)) t.equal(normalizeCode(typed), '123456', name)
})

t.test('every decimal digit of Unicode is read as its value', async (t) => {
  const digits: number[] = []
  for (let point = 0; point <= 0x10FFFF; point++) {
    if (/^\p{Nd}$/u.test(String.fromCodePoint(point))) digits.push(point)
  }
  t.ok(digits.length >= 660, `${digits.length} digits`)
  // Unicode encodes each script's digits in order, so in order of code points they count from 0 to 9 over and over.
  t.strictSame(digits.map((point) => normalizeCode(String.fromCodePoint(point))), digits.map((_, position) => String(position % 10)))
})

t.test('letters are converted to uppercase, O is read as 0, and I and L are read as 1', async (t) => {
  t.equal(normalizeCode('abcde-fghjk mnp'), 'ABCDEFGHJKMNP')
  t.equal(normalizeCode('qrstvwxyz'), 'QRSTVWXYZ')
  t.equal(normalizeCode('oOiIlL'), '001111')
  t.equal(normalizeCode('ol3456'), '013456')
})

t.test('characters that cannot be part of a code are kept, so that the code is wrong', async (t) => {
  for (const typed of ['123.456', '123,456', '12345½', '12345²', '12345Ⅵ', '123456\0', '12345ı', '+123456', '$123456', '{"$gt":""}']) {
    t.not(normalizeCode(typed), '123456', JSON.stringify(typed))
    t.notMatch(normalizeCode(typed), /^[0-9A-HJKMNP-TV-Z]*$/, JSON.stringify(typed))
  }
  t.equal(normalizeCode(' -\u200B'), '', 'separators alone give an empty code')
})

t.test('the stored MAC of a code depends on the email hash and the key, and is neither the code nor its hash', async (t) => {
  const key = Buffer.alloc(64, 1)
  const mac = macOfCode(key, 'emailHash', '123456')
  t.match(mac, /^[\w-]{43}$/, '256 bits')
  t.equal(macOfCode(key, 'emailHash', '123456'), mac)
  t.not(macOfCode(key, 'emailHash', '123457'), mac, 'another code')
  t.not(macOfCode(key, 'another', '123456'), mac, 'another email hash')
  t.not(macOfCode(Buffer.alloc(64, 2), 'emailHash', '123456'), mac, 'another key')
  t.not(macOfCode(key, 'emailHash1', '23456'), mac, 'a character that moves from the code to the email hash')
  t.notMatch(mac, /123456/)
  for (const text of ['123456', `emailHash\0${'123456'}`, 'emailHash123456']) {
    t.not(createHash('sha256').update(text).digest('base64url'), mac, 'a hash without the key')
  }
})
