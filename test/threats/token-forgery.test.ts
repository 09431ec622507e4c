import { generateKeyPairSync, sign } from 'node:crypto'
import t from 'tap'
import { buildApp } from '../helpers/app.ts'
import { SECRET, claimsOf, encode, forge, headerOf, hmac, keyFor, withStrayBits, without } from '../helpers/jwt.ts'
import { ACCESS, HEADER, REFRESH_COOKIE, loggedIn } from '../helpers/login.ts'

t.test('tokens have exactly the documented claims, and a token that is built by hand with the right key is accepted', async (t) => {
  const { anna, token, claims, accepts } = await loggedIn(t)
  t.strictSame(headerOf(token), { alg: 'HS256', typ: 'at+jwt' })
  t.strictSame(Object.keys(claims).sort(), ['exp', 'iat', 'jti', 'sid', 'sub', 'type'])
  t.match(claims, { sub: String, sid: String, jti: String, type: 'access', iat: Number, exp: claims['iat'] as number + 900 })
  const refresh = anna.cookies.get(REFRESH_COOKIE)!
  t.strictSame(headerOf(refresh), { alg: 'HS256', typ: 'rt+jwt' })
  t.strictSame(Object.keys(claimsOf(refresh)).sort(), ['exp', 'iat', 'jti', 'seq', 'sid', 'sub', 'type'])
  t.match(claimsOf(refresh), { sub: claims['sub'], sid: claims['sid'], seq: 0, type: 'refresh' })
  t.ok(await accepts(token))
  t.ok(await accepts(forge(HEADER, claims, ACCESS)), 'so each token below is refused only because of its one error')
  t.ok(await accepts(forge({ typ: 'at+jwt', alg: 'HS256' }, { ...claims, role: 'x' }, ACCESS)))
})

t.test('alg none is refused, with or without a signature', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
    const header = { ...HEADER, alg }
    const signed = `${encode(header)}.${encode(claims)}`
    await refuses(t, {
      [`"${alg}" without a signature`]: `${signed}.`,
      [`"${alg}" without a third part`]: signed,
      [`"${alg}" with a signature`]: forge(header, claims, ACCESS)
    })
  }
  await refuses(t, { 'no alg': forge({ typ: 'at+jwt' }, claims, ACCESS), 'alg null': forge({ ...HEADER, alg: null }, claims, ACCESS) })
})

t.test('another HMAC algorithm is refused, even with the right key', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  for (const algorithm of ['HS384', 'HS512']) {
    await refuses(t, {
      [algorithm]: forge({ ...HEADER, alg: algorithm }, claims, ACCESS, algorithm),
      [`${algorithm} labeled HS256`]: forge(HEADER, claims, ACCESS, algorithm),
      [`HS256 labeled ${algorithm}`]: forge({ ...HEADER, alg: algorithm }, claims, ACCESS)
    })
  }
  await refuses(t, { 'in lower case': forge({ ...HEADER, alg: 'hs256' }, claims, ACCESS), 'a list': forge({ ...HEADER, alg: ['HS256'] }, claims, ACCESS) })
})

t.test('only the configured algorithm is accepted', async (t) => {
  for (const algorithm of ['HS384', 'HS512'] as const) {
    const { token, claims, accepts, refuses } = await loggedIn(t, { algorithm })
    t.strictSame(headerOf(token), { alg: algorithm, typ: 'at+jwt' })
    t.ok(await accepts(forge({ ...HEADER, alg: algorithm }, claims, ACCESS, algorithm)))
    await refuses(t, { 'the default algorithm': forge(HEADER, claims, ACCESS) })
  }
})

t.test('public-key algorithms are refused: an RSA signature, an HMAC labeled RS256, and an HMAC that uses the public key as its key', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rs256 = { ...HEADER, alg: 'RS256' }
  const signed = `${encode(rs256)}.${encode(claims)}`
  await refuses(t, {
    'an RSA signature': `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`,
    'an HMAC labeled RS256': forge(rs256, claims, ACCESS),
    'an HMAC that uses the public key as its key': forge(HEADER, claims, publicKey.export({ type: 'spki', format: 'pem' }).toString())
  })
  for (const alg of ['ES256', 'PS256', 'EdDSA']) await refuses(t, { [alg]: forge({ ...HEADER, alg }, claims, ACCESS) })
})

t.test('kid, jku, crit and every other header parameter are refused', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  const members = {
    kid: '../../dev/null', jku: 'https://evil.example/jwks', crit: [], jwk: { kty: 'oct', k: '' }, x5u: 'https://evil.example', x5c: [], b64: false, zip: 'DEF', cty: 'JWT'
  }
  for (const [name, value] of Object.entries(members)) await refuses(t, { [name]: forge({ ...HEADER, [name]: value }, claims, ACCESS) })
  await refuses(t, { 'crit with exp': forge({ ...HEADER, crit: ['exp'] }, claims, ACCESS) })
})

t.test('a wrong typ header is refused', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  for (const typ of ['JWT', 'rt+jwt', 'at', '', null, 1]) await refuses(t, { [String(typ)]: forge({ ...HEADER, typ }, claims, ACCESS) })
  await refuses(t, { 'no typ': forge({ alg: 'HS256' }, claims, ACCESS) })
})

t.test('a wrong type claim is refused', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  for (const type of ['refresh', 'Access', 'access ', '', null, ['access'], true]) {
    await refuses(t, { [JSON.stringify(type)]: forge(HEADER, { ...claims, type }, ACCESS) })
  }
})

t.test('each claim is required and must have the right type', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  for (const name of ['sub', 'sid', 'jti', 'type', 'iat', 'exp']) {
    await refuses(t, { [`no ${name}`]: forge(HEADER, without(claims, name), ACCESS), [`${name} null`]: forge(HEADER, { ...claims, [name]: null }, ACCESS) })
  }
  for (const name of ['sub', 'sid', 'jti']) {
    for (const value of [1, 0, '', true, [claims[name]], { $gt: '' }]) {
      await refuses(t, { [`${name} ${JSON.stringify(value)}`]: forge(HEADER, { ...claims, [name]: value }, ACCESS) })
    }
  }
  for (const name of ['iat', 'exp']) {
    for (const value of [String(claims[name]), '', true, [claims[name]], {}]) {
      await refuses(t, { [`${name} ${JSON.stringify(value)}`]: forge(HEADER, { ...claims, [name]: value }, ACCESS) })
    }
  }
})

t.test('a token that is signed with a key of another purpose, secret or instance is refused', async (t) => {
  const { claims, refuses } = await loggedIn(t)
  await refuses(t, {
    'the refresh key': forge(HEADER, claims, keyFor('refresh')),
    'the code key': forge(HEADER, claims, keyFor('code')),
    'the device key': forge(HEADER, claims, keyFor('device')),
    'the secret itself': forge(HEADER, claims, SECRET),
    'another secret\'s key': forge(HEADER, claims, keyFor('access', `${SECRET}!`)),
    'another instance\'s key': forge(HEADER, claims, keyFor('access', SECRET, 'admin')),
    'an empty key': forge(HEADER, claims, '')
  })
})

t.test('a refresh token is not accepted as a bearer token, nor an access token as a refresh cookie', async (t) => {
  const { anna, token, claims, refuses } = await loggedIn(t)
  const refresh = anna.cookies.get(REFRESH_COOKIE)!
  await refuses(t, {
    'the refresh token': refresh,
    'with the claims of an access token, signed with the refresh key': forge(HEADER, { ...claimsOf(refresh), type: 'access' }, keyFor('refresh')),
    'a refresh token signed with the access key': forge({ ...HEADER, typ: 'rt+jwt' }, claimsOf(refresh), ACCESS)
  })
  const asRefresh = { ...claims, type: 'refresh', seq: 0 }
  const cookies = {
    'the access token': token,
    'with the claims of a refresh token, signed with the access key': forge({ ...HEADER, typ: 'rt+jwt' }, asRefresh, ACCESS),
    'an access token signed with the refresh key': forge(HEADER, { ...asRefresh, type: 'access' }, keyFor('refresh'))
  }
  for (const [name, value] of Object.entries(cookies)) {
    anna.cookies.set(REFRESH_COOKIE, value)
    t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' }, setCookies: { length: 0 } }, name)
  }
  anna.cookies.set(REFRESH_COOKIE, refresh)
  t.match(await anna.refresh(), { status: 200 }, 'the session still works')
})

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

t.test('issuer and audience are set in both tokens and required in both', async (t) => {
  const { browser, codeFor } = await buildApp(t, { secretKey: SECRET, issuer: 'https://app.example', audience: 'app' })
  const anna = browser()
  const access = await anna.login('anna@example.com', codeFor)
  const refresh = anna.cookies.get('__Host-refresh_token')!
  for (const token of [access, refresh]) t.match(claimsOf(token), { iss: 'https://app.example', aud: 'app' })
  const refused = (claims: Record<string, unknown>): Record<string, Record<string, unknown>> => ({
    'no iss': without(claims, 'iss'),
    'no aud': without(claims, 'aud'),
    'another iss': { ...claims, iss: 'https://evil.example' },
    'another aud': { ...claims, aud: 'other' },
    'an iss that begins with the right one': { ...claims, iss: 'https://app.example.evil.example' },
    'iss null': { ...claims, iss: null },
    'aud null': { ...claims, aud: null },
    'only another aud in an array': { ...claims, aud: ['other'] },
    'an empty array as aud': { ...claims, aud: [] },
    'an empty aud': { ...claims, aud: '' }
  })
  for (const [name, claims] of Object.entries(refused(claimsOf(access)))) {
    t.match(await anna.get('/me', forge(HEADER, claims, keyFor('access'))), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }, name)
  }
  for (const [name, claims] of Object.entries(refused(claimsOf(refresh)))) {
    anna.cookies.set('__Host-refresh_token', forge({ ...HEADER, typ: 'rt+jwt' }, claims, keyFor('refresh')))
    t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } }, name)
  }
  t.equal((await anna.get('/me', forge(HEADER, claimsOf(access), keyFor('access')))).status, 200)
  anna.cookies.set('__Host-refresh_token', refresh)
  t.equal((await anna.refresh()).status, 200)
})

t.test('without issuer and audience, the tokens have neither claim', async (t) => {
  const { browser, codeFor } = await buildApp(t)
  const claims = claimsOf(await browser().login('anna@example.com', codeFor))
  t.notOk('iss' in claims || 'aud' in claims)
})
