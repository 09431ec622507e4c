import { generateKeyPairSync, sign } from 'node:crypto'
import t from 'tap'
import { SECRET, claimsOf, encode, forge, headerOf, keyFor, without } from '../helpers/jwt.ts'
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
