import t from 'tap'
import { claimsOf, encode, forge, hmac, keyFor, withStrayBits, without } from '../helpers/jwt.ts'
import { ACCESS, HEADER, REFRESH_COOKIE, loggedIn } from '../helpers/login.ts'

t.test('a token has only one spelling: padding, set unused bits and standard base64 are refused', async (t) => {
  const { claims, token, accepts, refuses } = await loggedIn(t)
  const [header, payload, signature] = token.split('.') as [string, string, string]
  t.ok(Buffer.from(withStrayBits(signature), 'base64url').equals(Buffer.from(signature, 'base64url')), 'a lenient decoder reads the same bytes')
  // The length of this payload leaves unused bits, so it has a second spelling. The signature below covers that spelling.
  const uneven = encode(['', 'x', 'xx'].map((pad) => JSON.stringify({ ...claims, pad })).find((text) => text.length % 3 !== 0)!)
  t.ok(await accepts(`${header}.${uneven}.${hmac(`${header}.${uneven}`, ACCESS)}`))
  let other = ''
  for (let round = 0; !/[-_]/.test(other.split('.')[2] ?? ''); round++) other = forge(HEADER, { ...claims, round }, ACCESS)
  t.ok(await accepts(other))
  const standard = other.split('.')[2]!.replaceAll('-', '+').replaceAll('_', '/')
  await refuses(t, {
    'stray bits in the signature': `${header}.${payload}.${withStrayBits(signature)}`,
    'a padded signature': `${token}=`,
    'a signature padded twice': `${token}==`,
    'standard base64': `${other.split('.').slice(0, 2).join('.')}.${standard}`,
    'a space in the signature': `${header}.${payload}.${signature.slice(0, 9)} ${signature.slice(9)}`,
    'a character that decoders skip': `${header}.${payload}.${signature.slice(0, 9)}!${signature.slice(9)}`,
    'stray bits in the payload': `${header}.${withStrayBits(uneven)}.${hmac(`${header}.${withStrayBits(uneven)}`, ACCESS)}`,
    'a padded payload': `${header}.${uneven}=.${hmac(`${header}.${uneven}=`, ACCESS)}`,
    'a signature cut short': token.slice(0, -4),
    'a signature with extra characters': `${token}AAAA`
  })
})

t.test('extra dots, empty parts and parts that are not JSON are refused', async (t) => {
  const { claims, token, refuses } = await loggedIn(t)
  const [header, payload, signature] = token.split('.') as [string, string, string]
  await refuses(t, {
    nothing: '',
    'a dot': '.',
    'two dots': '..',
    'three dots': '...',
    'a dot before': `.${token}`,
    'a dot after': `${token}.`,
    'a fourth part': `${token}.${signature}`,
    'five parts': `${header}.${payload}.${signature}.${payload}.${signature}`,
    'an empty header': `.${payload}.${signature}`,
    'an empty payload': `${header}..${hmac(`${header}.`, ACCESS)}`,
    'an empty signature': `${header}.${payload}.`,
    'two parts': `${header}.${payload}`,
    'a header that is not JSON': forge('{"alg"', claims, ACCESS),
    'a header that is null': forge('null', claims, ACCESS),
    'a header that is a list': forge('[]', claims, ACCESS),
    'a header that is a number': forge('1', claims, ACCESS),
    'a payload that is not JSON': forge(HEADER, '{"sub"', ACCESS),
    'a payload that is null': forge(HEADER, 'null', ACCESS),
    'a payload that is a text': forge(HEADER, '"access"', ACCESS),
    'a payload that is a list': forge(HEADER, [claims], ACCESS),
    nonsense: '%%%',
    'two tokens': `${token} ${token}`
  })
})

t.test('a token expires exactly at exp', async (t) => {
  const { claims, clock, accepts } = await loggedIn(t)
  const exp = Math.floor(clock() / 1000) + 100
  const token = forge(HEADER, { ...claims, exp }, ACCESS)
  const moveTo = (milliseconds: number) => clock.advance((milliseconds - clock()) / 1000)
  moveTo(exp * 1000 - 1000)
  t.ok(await accepts(token), 'a second before')
  moveTo(exp * 1000 - 1)
  t.ok(await accepts(token), 'a millisecond before')
  moveTo(exp * 1000)
  t.notOk(await accepts(token), 'at it')
  moveTo(exp * 1000 + 1)
  t.notOk(await accepts(token), 'after it')
})

t.test('a refresh token must have the claim seq, and is checked like an access token', async (t) => {
  const { anna, calls } = await loggedIn(t)
  const refresh = anna.cookies.get(REFRESH_COOKIE)!
  const claims = claimsOf(refresh)
  const header = { alg: 'HS256', typ: 'rt+jwt' }
  const key = keyFor('refresh')
  const forged: Record<string, string> = {
    'no seq': forge(header, without(claims, 'seq'), key),
    'alg none': `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`,
    'another algorithm': forge({ ...header, alg: 'HS512' }, claims, key, 'HS512'),
    kid: forge({ ...header, kid: '1' }, claims, key),
    padding: `${refresh}=`,
    'stray bits': refresh.replace(/[^.]+$/, withStrayBits),
    nothing: ''
  }
  for (const seq of ['0', null, 0.5, -1e30, 2 ** 53, true, [0]]) forged[`seq ${JSON.stringify(seq)}`] = forge(header, { ...claims, seq }, key)
  for (const name of ['sub', 'sid', 'jti', 'type', 'iat', 'exp']) forged[`no ${name}`] = forge(header, without(claims, name), key)
  for (const [name, value] of Object.entries(forged)) {
    anna.cookies.set(REFRESH_COOKIE, value)
    calls.length = 0
    t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' }, setCookies: { length: 0 } }, name)
    t.strictSame(calls, [], `${name}: storage is not called`)
  }
  anna.cookies.set(REFRESH_COOKIE, forge(header, claims, key))
  t.match(await anna.refresh(), { status: 200 }, 'built by hand without an error, it is accepted')
})
