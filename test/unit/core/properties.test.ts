import { domainToASCII } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import fc from 'fast-check'
import t from 'tap'
import { readDevice, rememberDevice } from '../../../src/core/device-cookie.ts'
import { parseDuration } from '../../../src/core/duration.ts'
import { readEmail } from '../../../src/core/email.ts'
import { deriveKeys } from '../../../src/core/key-derivation.ts'
import { networkOf } from '../../../src/core/network.ts'
import { LONG_CODE_LENGTH, makeCode, normalizeCode } from '../../../src/core/otp-code.ts'
import { createCookies } from '../../../src/http/cookies.ts'
import { createInstanceTokens } from '../../../src/http/jwt.ts'
import { resolveOptions } from '../../../src/options/resolve.ts'
import { SECRET, required } from '../../helpers/options.ts'
import { countingRandom } from '../../helpers/random.ts'
import { check } from '../../helpers/properties.ts'

const text = fc.string({ unit: 'binary' })
/** Texts of the given characters, some of them mixed with random characters. */
const textOf = (characters: string, maxLength: number) => fc.oneof(
  fc.string({ unit: fc.constantFrom(...characters), maxLength }),
  fc.string({ unit: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...characters) }, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })), maxLength })
)
/** The text with one of its characters changed. */
const changed = (from: string, at: number, to: string) => {
  const position = at % from.length
  return `${from.slice(0, position)}${to}${from.slice(position + 1)}`
}

t.test('a code is read the same in every spelling, and normalizing it again changes nothing', async (t) => {
  const zeros = ['0', '\u0660', '\u06F0', '\u0966', '\u0E50', '\uFF10', '\u{1D7CE}']
  const separator = fc.constantFrom('', '', '', ' ', '-', '\u00A0', '\u2009', '\u3000', '\u2010', '\u2013', '\u2014', '\u200B', '\uFEFF', '\u00AD', '\t', '\n')
  const spelled = fc.array(fc.tuple(fc.nat(9), fc.constantFrom(...zeros), separator), { minLength: 1, maxLength: 13 })
  check(t, fc.property(spelled, separator, (letters, start) => {
    const typed = start + letters.map(([digit, zero, after]) => String.fromCodePoint(zero.codePointAt(0)! + digit) + after).join('')
    return normalizeCode(typed) === letters.map(([digit]) => digit).join('')
  }))
  const long = fc.infiniteStream(fc.nat(31)).map((draws) => makeCode(LONG_CODE_LENGTH, countingRandom(() => draws.next().value)))
  const misread: Record<string, string> = { 0: 'o', 1: 'l' }
  check(t, fc.property(long, separator, (code, between) =>
    normalizeCode([...code.toLowerCase()].map((letter) => misread[letter] ?? letter).join(between)) === code))
  check(t, fc.property(text, (typed) => normalizeCode(normalizeCode(typed)) === normalizeCode(typed)))
})

t.test('two emails count as one only if they differ in nothing but outer spaces, ASCII case or the spelling of the domain', async (t) => {
  const letters = 'abzABZ09.-+_@@'
  const typed = fc.oneof(
    text,
    textOf(`${letters} ,;"<>()\r\n\0\u200Bäßı\u017F\u212Aａ％%/\\:`, 30),
    fc.tuple(textOf(letters.replaceAll('@', ''), 6), textOf('abXYZ019-äß例ａ\u0301', 6), fc.constantFrom('com', 'IO', 'テスト', 'ßx'), fc.constantFrom('', ' ', '\t\r\n'))
      .map(([local, domain, top, blank]) => `${blank}${local}@${domain}.${top}${blank}`),
    fc.emailAddress()
  )
  let accepted = 0
  check(t, fc.property(typed, (address) => {
    const read = readEmail(address)
    if ('reason' in read) return typeof read.reason === 'string'
    accepted++
    const [local, domain, ...more] = address.trim().split('@') as [string, string, ...string[]]
    const lower = (part: string) => part.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    return more.length === 0 && read.email === `${lower(local)}@${domainToASCII(domain)}` &&
      /^[!#-'*+/-9=?^-~.-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(read.email) &&
      'email' in readEmail(read.email) && (readEmail(read.email) as { email: string }).email === read.email
  }), { numRuns: 800 })
  t.ok(accepted > 100, `${accepted} were addresses`)
  check(t, fc.property(typed, fc.anything(), (address, returned) => {
    const read = readEmail(address, () => returned as string)
    return 'reason' in read || /^[^\s\p{Cc}@,;:"<>()[\]\\]+@[a-z0-9.-]+$/u.test(read.email)
  }))
})

t.test('a signed token is read as it was signed, and any other text is refused without an exception', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const options = resolveOptions(required())
  const tokens = await createInstanceTokens(app, deriveKeys([Buffer.from(SECRET)], 'otp_auth'), options)
  await app.ready()
  const isRefused = (given: string) => [{ ignoreExpiration: false }, { ignoreExpiration: true }].every((how) =>
    tokens.verifyAccess(given, how) === null && tokens.verifyRefresh(given, how) === null)
  const id = fc.string({ unit: 'grapheme', minLength: 1 })
  const expiresAt = options.clock() + 600_000
  const drawn = fc.record({ userId: id, sessionId: id, seq: fc.maxSafeNat() }, { noNullPrototype: true })

  check(t, fc.property(drawn, (token) => {
    const access = tokens.verifyAccess(tokens.signAccess({ ...token, custom: {}, expiresAt }))
    const refresh = tokens.verifyRefresh(tokens.signRefresh({ ...token, expiresAt }))
    return access?.userId === token.userId && access.sessionId === token.sessionId && isDeepStrictEqual(refresh, { ...token })
  }))
  check(t, fc.property(drawn, fc.boolean(), fc.nat(), fc.string({ unit: 'binary', maxLength: 1 }), (token, isAccess, at, to) => {
    const given = isAccess ? tokens.signAccess({ ...token, custom: {}, expiresAt }) : tokens.signRefresh({ ...token, expiresAt })
    const other = changed(given, at, to)
    return other === given || isRefused(other)
  }))
  const part = fc.oneof(text, fc.anything().map((value) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url')))
  check(t, fc.property(fc.oneof(text, fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.'))), isRefused))
})

t.test('a cookie that was set is read back, and only the exact cookie name is read', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const { cookie, name } = resolveOptions(required())
  const { request, refresh, device } = await createCookies(app, { cookie, name })
  await app.ready()
  const read = (header: string | undefined) => request.read({ headers: { cookie: header } } as FastifyRequest)

  const plain = fc.string({ unit: fc.constantFrom(...'abcXYZ019_-.'), minLength: 1, maxLength: 100 })
  check(t, fc.property(fc.constantFrom(request, refresh, device), plain, (one, value) => {
    let line = ''
    one.set({ header: (_: string, set: string) => { line = set } } as unknown as FastifyReply, value, 1000)
    return one.read({ headers: { cookie: `theme=dark; ${line.split(';')[0]}; last=1` } } as FastifyRequest) === value
  }))

  const exact = request.name
  const names = fc.constantFrom(exact, exact, exact.toLowerCase(), exact.toUpperCase(), `${exact}x`, `x${exact}`, `${exact}_`, `${exact} `, `${exact}%3D`,
    `"${exact}"`, exact.replace('__Host-', ''), exact.replace('__Host-', '__Secure-'), '__proto__', 'constructor', '')
  const value = fc.string({ unit: fc.constantFrom(...'ab=%"\\, \u00FF'), maxLength: 8 }).map((given) => given.trim())
  check(t, fc.property(fc.array(fc.tuple(names, value)), fc.constantFrom(';', '; ', ' ;\t'), (pairs, between) =>
    read(pairs.map(([given, holds]) => `${given}=${holds}`).join(between)) === pairs.find(([given]) => given === exact)?.[1]))
  check(t, fc.property(fc.oneof(text, textOf(`${exact}=;, "%\0`, 100)), (header) => {
    const found = read(header)
    return found === undefined || header.includes(`${exact}=${found}`)
  }))
})

t.test('options resolve to a frozen object, or the error names the invalid option', async (t) => {
  const anything = fc.anything({
    withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withNullPrototype: true, withSparseArray: true
  })
  const nested = {
    sendLimits: ['perHour', 'perDay'],
    failureLimits: ['perDay', 'consecutive'],
    cookie: ['secure', 'sameSite', 'path', 'domain'],
    routes: ['requestOtp', 'logout']
  }
  const names = ['storage', 'secretKey', 'sendOtp', 'name', 'prefix', 'accessTokenLifetime', 'refreshTokenDelivery', 'otpLength', 'otpExpiry',
    'maxOtpAttempts', 'otpRateLimitSeconds', 'requireRequestId', 'isAllowed', 'issuer', 'algorithm', 'developerMode', 'trustedOrigins', 'cleanupInterval',
    'clock', 'random', 'rateLimit', ...Object.keys(nested)]
  const likely = fc.oneof(anything, fc.sparseArray(fc.constant(SECRET), { maxNumElements: 2 }), fc.integer(), fc.constantFrom('15m', '1h', '6', 'HS512', 'both', 'none', '/auth', 'https://x.example', true, false),
    fc.array(fc.oneof(anything, fc.constantFrom('https://x.example', SECRET)), { maxLength: 3 }))
  const inner = Object.entries(nested).map(([name, known]) =>
    fc.record({ [name]: fc.dictionary(fc.oneof(fc.constantFrom(...known), text), likely, { maxKeys: 3 }) }) as fc.Arbitrary<object>)
  const name = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, text)
  const given = fc.oneof(fc.dictionary(name, likely, { maxKeys: 2 }), ...inner)

  check(t, fc.property(given, fc.boolean(), (some, isWhole) => {
    const options = { ...(isWhole && required()), ...some } as Parameters<typeof resolveOptions>[0]
    try {
      const resolved = resolveOptions(options)
      const { secretKeys, trustedOrigins } = resolved
      return Object.isFrozen(resolved) && secretKeys.length > 0 && [...secretKeys].every(Buffer.isBuffer) &&
        [...trustedOrigins].every((origin) => typeof origin === 'string')
    } catch (error) {
      const { code, message } = error as { code?: string, message: string }
      if (code !== 'OTP_AUTH_INVALID_OPTION') throw error
      const named = message.replace('fastify-otp-auth: ', '').replace(/^Unknown option "(.*)"\. /s, '$1 ')
      return [...names, ...Object.keys(some)].some((name) => named.startsWith(`${name} `) || named.startsWith(`${name}.`)) ||
        named.startsWith('failureLimits, maxOtpAttempts')
    }
  }), { numRuns: 800 })
})

t.test('a duration is parsed to whole milliseconds or to undefined', async (t) => {
  check(t, fc.property(fc.oneof(fc.anything(), fc.double(), text, textOf('0123456789. smhd', 400)), (given) => {
    const length = parseDuration(given)
    return length === undefined || (Number.isInteger(length) && length >= 0)
  }))
  check(t, fc.property(fc.nat(), fc.constantFrom(['s', 1], ['m', 60], ['h', 3600], ['d', 86_400] as const), (count, [unit, seconds]) =>
    parseDuration(`${count}${unit}`) === count * Number(seconds) * 1000 && parseDuration(count * Number(seconds)) === parseDuration(`${count}${unit}`)))
})

t.test('IP addresses are in one network exactly if they share a /24 or a /56, and no text throws', async (t) => {
  const octet = fc.nat(255)
  const v4 = fc.tuple(octet, octet, octet)
  check(t, fc.property(v4, v4, octet, octet, (one, other, low, high) => {
    const network = networkOf([...one, low].join('.'))
    return network === networkOf([...one, high].join('.')) && network === networkOf(`::ffff:${[...one, high].join('.')}`) &&
      (network === networkOf([...other, low].join('.'))) === (one.join() === other.join())
  }))
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff))
  const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length })
  /** In the short form, "::" replaces the first run of zeros. */
  const spell = (all: number[], isShort: boolean) => {
    const written = all.map((each) => each.toString(16)).join(':')
    return isShort ? written.replace(/(^|:)0(:0)+(:|$)/, '::').toUpperCase() : written
  }
  check(t, fc.property(groups(3), octet, octet, octet, groups(4), groups(4), fc.boolean(), (
    prefix, third, low, high, one, other, isShort
  ) => {
    const [near, far] = [[...prefix, third << 8 | low, ...one], [...prefix, third << 8 | high, ...other]]
    fc.pre([...prefix, third].some((each) => each !== 0))
    const neighbour = [...prefix, (third ^ 1) << 8 | low, ...one]
    fc.pre([...prefix, third ^ 1].some((each) => each !== 0))
    return networkOf(spell(near, isShort)) === networkOf(spell(far, !isShort)) &&
      networkOf(spell(near, false)) !== networkOf(spell(neighbour, isShort))
  }))
  check(t, fc.property(fc.oneof(text, fc.ipV6(), textOf('0123456789abcdef:.%', 50)), (given) => typeof networkOf(given) === 'string'))
})

t.test('a device cookie with a changed, added or removed character is refused', async (t) => {
  const key = Buffer.alloc(64, 1)
  const cookie = rememberDevice(null, 'anna', key, 0, countingRandom())
  t.ok(readDevice(cookie, [key], 1))
  const isRefused = (given: string) => readDevice(given, [key], 1) === null
  const character = fc.oneof(fc.constantFrom(...'ABab09-_.=+/ '), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }))
  check(t, fc.property(fc.nat(), fc.oneof(character, fc.constant('')), (at, to) => {
    const other = changed(cookie, at, to)
    return other === cookie || isRefused(other)
  }), { numRuns: 400 })
  check(t, fc.property(fc.nat(cookie.length), character, (at, added) => isRefused(`${cookie.slice(0, at)}${added}${cookie.slice(at)}`)), { numRuns: 400 })
  check(t, fc.property(text, isRefused))
})
