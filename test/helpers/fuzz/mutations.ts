import { deflateSync, gzipSync } from 'node:zlib'
import type { Plan } from './actors.ts'
import { DEVICE_COOKIE } from './app.ts'
import type { Dice, OddValues } from './dice.ts'
import type { Shot } from './wire.ts'

/** Turns a plan into the request to send. Half of the plans are sent unchanged, and the others get up to three changes. */
export function toShot (dice: Dice, odd: OddValues, plan: Plan): Shot {
  const { json, ...rest } = plan
  const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json))
  const shot: Shot = { ...rest, headers: [...rest.headers], body }
  if (dice.chance(50)) return shot
  for (let count = 1 + dice.below(3); count > 0; count--) {
    dice.weighted<() => void>([
      [25, () => { if (json !== undefined) shot.body = Buffer.from(mutateJson(dice, odd, json)) }],
      [12, () => mutateBody(dice, odd, shot)],
      [20, () => mutateHeaders(dice, odd, shot)],
      [20, () => mutateCredentials(dice, odd, shot)],
      [8, () => mutateTarget(dice, odd, shot)],
      [4, () => { shot.method = dice.pick(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'QUERY', 'post', 'P OST']) }],
      [11, () => { shot.spoil = spoil(dice, odd) }]
    ])()
  }
  // If the method or the framing makes the request incomplete, it gets its own connection.
  const framing = /^(content-length|transfer-encoding|connection|expect|upgrade)$/
  if (!/^[A-Z]+$/.test(shot.method) || shot.headers.some(([name]) => framing.test(name))) shot.spoil ??= (bytes) => bytes
  return shot
}

function mutateJson (dice: Dice, odd: OddValues, json: Record<string, unknown>): string {
  const copy = { ...json }
  const names = ['email', 'code', 'request_id', 'refresh_token']
  const name = dice.pick([...Object.keys(copy), ...names])
  const text = JSON.stringify(copy)
  return dice.weighted<() => string>([
    [20, () => JSON.stringify({ ...copy, [name]: dice.pick(odd.json) })],
    [15, () => JSON.stringify({ ...copy, [name]: dice.pick(odd.texts) })],
    [15, () => JSON.stringify({ ...copy, email: dice.pick(odd.addresses) })],
    [5, () => JSON.stringify({ ...copy, [name]: 'x'.repeat(dice.pick([63, 64, 65, 320, 321, 4096, 4097, 8000, 9000])) })],
    [10, () => JSON.stringify({ ...copy, [dice.pick(['isVerified', 'id', 'constructor', 'toString', 'statusCode', '$where', 'EMAIL'])]: dice.pick(odd.json) })],
    [5, () => `{"${dice.pick(['__proto__', 'constructor'])}":{"prototype":{"isVerified":true}},${text.slice(1)}`],
    [5, () => { delete copy[name]; return JSON.stringify(copy) }],
    [5, () => text.slice(0, dice.below(text.length))],
    [8, () => {
      const at = dice.below(text.length)
      return text.slice(0, at) + dice.pick(['x', '"', '{', ',', '\0', '\\', '\\u0000', '\\ud800', ' ', '\uFEFF']) + text.slice(at)
    }],
    [4, () => text.replace('{', `{"${name}":"first",`)],
    [2, () => text.replace(/[a-z]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`)],
    [3, () => `${'['.repeat(3000)}${']'.repeat(3000)}`],
    [3, () => JSON.stringify(dice.pick(odd.json))]
  ])()
}

function mutateBody (dice: Dice, odd: OddValues, shot: Shot): void {
  const body = shot.body ?? Buffer.from('{}')
  dice.weighted<() => void>([
    [3, () => { shot.chunked = true; shot.body = body }],
    [2, () => { shot.body = undefined }],
    [2, () => { shot.body = Buffer.alloc(0) }],
    [2, () => { shot.body = Buffer.concat([Buffer.from('\uFEFF'), body]) }],
    [2, () => { shot.body = Buffer.from(dice.pick(odd.bytes)) }],
    [2, () => { shot.body = Buffer.concat([body, Buffer.alloc(dice.pick([10, 7_000, 9_000, 200_000]), 32)]) }],
    [2, () => { shot.body = Buffer.from(body.toString(), 'utf16le') }],
    [2, () => { shot.body = gzipSync(body); shot.headers.push(['content-encoding', 'gzip']) }],
    [1, () => { shot.body = deflateSync(body); shot.headers.push(['content-encoding', dice.pick(['deflate', 'br', 'identity'])]) }]
  ])()
}

const TYPES = [
  'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; charset=utf-16', 'application/json\ta',
  'APPLICATION/JSON', 'application/json;', 'application/jsonx', 'application/vnd.api+json', '', '/', ';', 'a'.repeat(300), 'application/json, text/plain'
]
const ORIGINS = ['null', 'https://evil.example', 'http://localhost', 'https://localhost:8443', '', '://', 'http://[', 'http://localhost@evil.example']
const HOSTS = ['evil.example', '', 'localhost:99999', '[::1]', 'a b', 'localhost, evil.example', '%00', 'x'.repeat(500)]
const FORWARDED = ['', 'unknown', '1.2.3.4, 5.6.7.8', '::ffff:1.2.3.4', 'fe80::1%eth0', '999.1.1.1', '::1::2', '[2001:db8::1]:80', ', ,', 'x'.repeat(400), '2001:DB8::']

function mutateHeaders (dice: Dice, odd: OddValues, shot: Shot): void {
  const replace = (name: string, value: string) => {
    shot.headers = [...shot.headers.filter(([known]) => known !== name), [name, value]]
  }
  dice.weighted<() => void>([
    [4, () => replace('content-type', dice.pick(TYPES))],
    [4, () => replace('origin', dice.pick(ORIGINS))],
    [3, () => replace('sec-fetch-site', dice.pick(['same-origin', 'none', 'cross-site', 'same-site', '', 'x']))],
    [3, () => replace('host', dice.pick(HOSTS))],
    [4, () => replace('x-forwarded-for', dice.pick(FORWARDED))],
    [2, () => shot.headers.push(['x-forwarded-host', dice.pick(HOSTS)], ['x-forwarded-proto', dice.pick(['https', 'x', ''])])],
    // A header twice, the second time with the same or an unusual value.
    [4, () => {
      const [name, value] = dice.pick(shot.headers.length > 0 ? shot.headers : [['x-filler', '']])
      shot.headers.push([name, dice.chance(50) ? value : printable(dice.pick(odd.texts))])
    }],
    [2, () => { shot.headers = shot.headers.filter(() => dice.chance(70)) }],
    [2, () => shot.headers.push(['x-filler', 'x'.repeat(dice.pick([1_000, 15_000, 17_000, 70_000]))])],
    [1, () => { for (let count = 0; count < 150; count++) shot.headers.push([`x-${count}`, '1']) }],
    [2, () => shot.headers.push(['x-http-method-override', 'DELETE'], ['range', 'bytes=0-1'], ['if-none-match', '*'])],
    [2, () => shot.headers.push(['expect', dice.pick(['100-continue', 'x'])])],
    [1, () => shot.headers.push(['upgrade', dice.pick(['websocket', 'h2c'])], ['connection', 'upgrade'])],
    [1, () => shot.headers.push(['content-length', dice.pick(['0', '1', '-1', '1e3', '99999999999', '5, 5'])])],
    [1, () => shot.headers.push(['transfer-encoding', dice.pick(['chunked', 'gzip', 'chunked, chunked', 'identity'])])],
    [1, () => shot.headers.push([dice.pick(['__proto__', 'constructor', 'x y', ':authority', '']), 'x'])]
  ])()
}

const printable = (text: string) => text.replace(/[^\x20-\x7e\x80-\xff]/g, '?')

/** Changes a token or the value of a cookie. */
function mutateToken (dice: Dice, odd: OddValues, token: string): string {
  const at = dice.below(token.length + 1)
  return dice.weighted<() => string>([
    [3, () => token.slice(0, at)],
    [3, () => token.slice(0, at) + dice.pick([...'Aa0_-.=+/ %']) + token.slice(at + 1)],
    [2, () => token + dice.pick(['=', '.', ' ', 'A', ';', ', Bearer x'])],
    [1, () => token.split('.').reverse().join('.')],
    [1, () => token.replace(/^[^.]*/, Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url'))],
    [1, () => ['', '.', '..', '...', '%%%', 'null', 'e30.e30.e30', 'x'.repeat(dice.pick([500, 5_000, 12_000]))][dice.below(8)]!],
    [2, () => printable(dice.pick(odd.texts))]
  ])()
}

function mutateCredentials (dice: Dice, odd: OddValues, shot: Shot): void {
  const cookie = shot.headers.find(([name]) => name === 'cookie')?.[1] ?? ''
  const bearer = shot.headers.find(([name]) => name === 'authorization')?.[1].slice('Bearer '.length) ?? 'x.y.z'
  const pairs = cookie.split('; ')
  const at = dice.below(pairs.length)
  const [name, value = ''] = pairs[at]!.split('=')
  const replace = (header: string, text: string) => {
    shot.headers = [...shot.headers.filter(([known]) => known !== header), [header, text]]
  }
  dice.weighted<() => void>([
    [5, () => replace('cookie', pairs.with(at, `${name}=${mutateToken(dice, odd, value)}`).join('; '))],
    [2, () => replace('cookie', `${name}=planted; ${cookie}`)],
    [2, () => replace('cookie', `${cookie}; ${name}="${value}"`)],
    [1, () => replace('cookie', dice.pick([';', '=', '=;=', `${DEVICE_COOKIE}`, `${DEVICE_COOKIE}=`, `${DEVICE_COOKIE}=....`, '; '.repeat(500)]))],
    [1, () => replace('cookie', printable(dice.pick(odd.texts)))],
    [5, () => replace('authorization', `Bearer ${mutateToken(dice, odd, bearer)}`)],
    // One kind of token instead of another.
    [2, () => replace('authorization', `Bearer ${value}`)],
    [2, () => replace('cookie', `__Host-refresh_token=${bearer}`)],
    [2, () => replace('authorization', dice.pick(['Bearer', 'Bearer ', 'bearer  x', 'Basic eDp4', '', ' ', `Basic ${bearer}`, `BEARER ${bearer}`, `Bearer\t${bearer}`]))]
  ])()
}

function mutateTarget (dice: Dice, odd: OddValues, shot: Shot): void {
  const { target } = shot
  shot.target = dice.pick([
    `${target}/`, `/${target}`, target.toUpperCase(), `${target}?email=x&code=1`, `${target}#x`, `${target};x`, `${target}%00`, `${target}/..%2f..`,
    target.replaceAll('/', '%2f'), target.replace('e', '%65'), `${target}?__proto__[x]=1`, '*', '/', '//', '/%zz', '/auth', '/auth/', 'http://evil.example/auth/logout',
    `http://localhost${target}`, `/${'x'.repeat(3000)}`, `/${encodeURIComponent(printable(dice.pick(odd.texts)))}`, target.slice(1)
  ])
}

/** A change to the final bytes. All random choices are made now, so that parallel requests do not change their order. */
function spoil (dice: Dice, odd: OddValues): (bytes: Buffer) => Buffer {
  const share = dice.below(1000) / 1000
  const junk = Buffer.from(dice.pick(odd.bytes))
  const at = (bytes: Buffer) => Math.floor(share * bytes.length)
  return dice.pick<(bytes: Buffer) => Buffer>([
    (bytes) => bytes,
    () => junk,
    (bytes) => bytes.subarray(0, at(bytes)),
    (bytes) => Buffer.concat([bytes.subarray(0, at(bytes)), junk.subarray(0, 3), bytes.subarray(at(bytes))]),
    (bytes) => Buffer.concat([bytes.subarray(0, at(bytes)), bytes.subarray(at(bytes) + 3)]),
    (bytes) => { const copy = Buffer.from(bytes); copy[at(bytes)]! ^= junk[0]! | 1; return copy },
    (bytes) => edit(bytes, (text) => text.replaceAll('\r\n', '\n')),
    (bytes) => edit(bytes, (text) => text.replace('\r\n', '\r\n folded\r\n')),
    (bytes) => edit(bytes, (text) => text.replace('HTTP/1.1', ['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/9.9', 'HTTP', ''][junk[0]! % 6]!)),
    (bytes) => edit(bytes, (text) => text.replace(/content-length: \d+/, `content-length: ${junk[0]}`)),
    (bytes) => edit(bytes, (text) => text.replace('\r\nconnection: close', '\r\ntransfer-encoding: chunked\r\nconnection: close')),
    // Several requests on one connection. The last one closes it.
    (bytes) => Buffer.concat([edit(bytes, (text) => text.replace('\r\nconnection: close', '')), bytes])
  ])
}

const edit = (bytes: Buffer, change: (text: string) => string) => Buffer.from(change(bytes.toString('latin1')), 'latin1')
