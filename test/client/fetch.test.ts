import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createOtpAuthClient } from '../../src/client/client.ts'
import { withVerbs } from '../helpers/app.ts'
import { BASE, clientApp, fetchOf, HOME, LOGGED_IN } from '../helpers/client.ts'

const ME = `${HOME}/me`

/** A signed-in user in one tab. `expire` moves the clock past the end of the access token. */
async function signedIn (t: Test, options: Parameters<typeof clientApp>[1] = {}) {
  const built = await clientApp(t, {
    ...options,
    after: (app) => {
      app.addContentTypeParser(['text/plain', 'application/octet-stream'], { parseAs: 'string' }, (_request, body, done) => done(null, body))
      app.post('/echo', { onRequest: [app.authenticate] }, async (request) => ({ body: request.body }))
      app.get('/maybe', { onRequest: [app.authenticateOptional] }, async (request) => ({ user: request.user?.email ?? null }))
      app.get('/refused', async (_request, reply) => reply.code(401).send({ code: 'MINE' }))
    }
  })
  const tab = built.client()
  const session = await built.login(tab)
  return { ...built, tab, session, expire: () => built.clock.advance(901) }
}

/** Starts a server, and returns its origin. */
async function serve (t: Test, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function deferred () {
  let resolve!: () => void
  const promise = new Promise<void>((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}

t.test('the access token is sent only to the origin of the routes', async (t) => {
  const { tab: { client: tab, sent } } = await signedIn(t)
  for (const address of [
    'https://app.example/me', 'http://app.example:8080/me', 'http://evil.example/me', 'http://api.app.example/me',
    'http://app.example.evil.example/me', 'http://app.example@evil.example/me', 'http:\\\\evil.example\\me'
  ]) {
    for (const input of [address, new URL(address), ...(address.includes('@') ? [] : [new Request(address)])]) {
      await tab.fetch(input).catch(() => {}) // `fetch` itself refuses credentials in an address
    }
  }
  const toOtherOrigins = sent.filter(({ url }) => new URL(url).origin !== HOME)
  t.equal(toOtherOrigins.length, 18)
  t.strictSame(toOtherOrigins.filter(({ authorization }) => authorization !== null), [])
  t.equal((await tab.fetch('http://APP.example:80/me')).status, 200)
})

t.test('a Request passed as init is sent with its method, headers and body', async (t) => {
  const { tab: { client, sent }, expire } = await signedIn(t)
  const init = (body: string) => new Request('http://elsewhere.example/', { method: 'POST', body, headers: { 'content-type': 'text/plain' } })
  t.match(await (await client.fetch(`${HOME}/echo`, init('one'))).json(), { body: 'one' })
  expire()
  t.equal((await client.fetch(`${HOME}/echo`, init('two'))).status, 401, 'it is not sent again, because its body may be a stream')
  t.match(await (await client.fetch(`${HOME}/echo`, init('three'))).json(), { body: 'three' })
  t.strictSame(sent.filter(({ url }) => url.includes('elsewhere')), [])
})

t.test('for schemes without an origin, the scheme and host must be those of the routes', async (t) => {
  const requests: Array<[string, string | null]> = []
  const client = createOtpAuthClient({
    baseUrl: 'capacitor://localhost/auth',
    fetch: async (input, init) => {
      const authorization = new Headers(init?.headers).get('authorization')
      requests.push([String(input), authorization])
      return Response.json(String(input).endsWith('refresh') ? LOGGED_IN : {})
    }
  })
  await client.refresh()
  for (const address of ['capacitor://localhost/me', 'capacitor://evil/me', 'other://localhost/me', 'data:text/plain,x', 'https://localhost/me']) {
    await client.fetch(address)
  }
  t.strictSame(requests.filter(([, authorization]) => authorization !== null).map(([address]) => address), ['capacitor://localhost/me'])
})

t.test('a redirect to another origin does not get the access token, and its 401 does not refresh', async (t) => {
  const seen: Array<string | undefined> = []
  const elsewhere = await serve(t, (request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(401).end()
  })
  const { session, anna } = await signedIn(t)
  let refreshes = 0
  const home = await serve(t, async (request, response) => {
    if (request.url === '/auth/refresh') refreshes++
    if (request.url!.startsWith('/auth/')) {
      const { status, body } = await anna.post(request.url!)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    } else {
      seen.push(request.headers.authorization)
      response.writeHead(307, { location: `${elsewhere}/me` }).end()
    }
  })
  const client = createOtpAuthClient({ baseUrl: `${home}/auth/` })
  const { accessToken, userId } = (await client.refresh())!
  t.equal(userId, session.userId)
  for (const input of [`${home}/leave`, new Request(`${home}/leave`, { method: 'POST', body: 'x' })]) {
    t.equal((await client.fetch(input)).status, 401)
  }
  t.strictSame(seen, [`Bearer ${accessToken}`, undefined, `Bearer ${accessToken}`, undefined])
  t.equal(refreshes, 1)
})

t.test('requests to the routes do not follow redirects', async (t) => {
  const elsewhere = await serve(t, () => t.fail('this server must not get the request'))
  const home = await serve(t, (request, response) => response.writeHead(307, { location: elsewhere + request.url }).end())
  const client = createOtpAuthClient({ baseUrl: `${home}/auth`, refreshToken: { get: () => 'token', set: () => {} } })
  await t.rejects(client.verifyOtp('123456', { email: 'anna@example.com' }), { name: 'OtpAuthClientError', status: 0, code: 'OTP_AUTH_UNREACHABLE' })
  await t.rejects(client.refresh(), { name: 'OtpAuthClientError', status: 0 })
})

t.test('an Authorization header of the caller is kept, and its 401 does not refresh', async (t) => {
  const { tab } = await signedIn(t)
  const headers = { authorization: 'Basic eDp5' }
  t.equal((await tab.client.fetch(ME, { headers })).status, 401)
  t.equal((await tab.client.fetch(new Request(ME, { headers }))).status, 401)
  t.strictSame(tab.asked('/me').map(({ authorization }) => authorization), ['Basic eDp5', 'Basic eDp5'])
  t.equal(tab.asked('/auth/refresh').length, 0)
})

t.test('after a 401, requests that wait at the same time share one refresh, and each is sent once more', async (t) => {
  const { tab, expire } = await signedIn(t)
  expire()
  const responses = await Promise.all(Array.from({ length: 20 }, () => tab.client.fetch(ME)))
  t.ok(responses.every(({ status }) => status === 200))
  t.equal(tab.asked('/auth/refresh').length, 1)
  t.equal(tab.asked('/me').length, 40)
  t.equal(tab.changes.length, 1, 'a new token for the same user is not a change')

  const refused = await tab.client.fetch(`${HOME}/refused`)
  t.match(await refused.json(), { code: 'MINE' }, 'a second 401 is returned')
  t.equal(tab.asked('/refused').length, 2)
})

t.test('a request whose 401 arrives after a refresh is sent again without another refresh', async (t) => {
  const { anna, expire, client } = await signedIn(t)
  const { fetch, sent } = fetchOf(anna)
  const released = deferred()
  const refused = deferred()
  const { client: tab } = client({
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (response.status === 401) {
        refused.resolve()
        await released.promise
      }
      return response
    }
  })
  await tab.refresh()
  expire()
  const waiting = tab.fetch(ME)
  await refused.promise
  await tab.refresh()
  released.resolve()
  t.equal((await waiting).status, 200)
  t.strictSame(sent.map(({ url }) => url), [`${BASE}/refresh`, ME, `${BASE}/refresh`, ME])
})

t.test('a body is sent again whole, except a stream, which can be read only once', async (t) => {
  const { tab, expire } = await signedIn(t)
  const { fetch } = tab.client
  const echo = `${HOME}/echo`
  const plain = { method: 'POST', headers: { 'content-type': 'text/plain' } }
  const stream = () => new ReadableStream({
    start (controller) {
      controller.enqueue(new TextEncoder().encode('streamed'))
      controller.close()
    }
  })
  const cases: Array<[string, string | Request, RequestInit?]> = [
    ['text', echo, { ...plain, body: 'text' }],
    ['bytes', echo, { ...plain, body: new TextEncoder().encode('bytes') }],
    ['request', new Request(echo, { ...plain, body: 'request' })],
    ['streamed', new Request(echo, { ...plain, body: stream(), duplex: 'half' })],
    ['other body', new Request(echo, { ...plain, body: 'text' }), { body: 'other body' }]
  ]
  for (const [body, input, init] of cases) {
    expire()
    const response = await fetch(input, init)
    t.strictSame([response.status, await response.json()], [200, { body }], body)
  }
  expire()
  const sendStream = () => fetch(echo, { ...plain, body: stream(), duplex: 'half' })
  t.equal((await sendStream()).status, 401)
  t.strictSame(await (await sendStream()).json(), { body: 'streamed' }, 'the refresh after the 401 serves the next request')
})

t.test('after a reload, the first request refreshes to find out who is signed in', async (t) => {
  const { client, browser, expire } = await signedIn(t)
  expire()
  const reloaded = client()
  const users = await Promise.all([1, 2].map(async () => (await reloaded.client.fetch(`${HOME}/maybe`)).json()))
  t.strictSame(users, [{ user: 'anna@example.com' }, { user: 'anna@example.com' }])
  t.equal(reloaded.asked('/auth/refresh').length, 1)

  const signedOut = client({}, browser())
  t.strictSame(await (await signedOut.client.fetch(`${HOME}/maybe`)).json(), { user: null })
  t.strictSame(signedOut.changes, [null])
})

t.test('a 401 of the plugin\'s own routes does not refresh', async (t) => {
  const { client, browser } = await signedIn(t)
  const signedOut = client({}, browser())
  t.equal((await signedOut.client.fetch(`${BASE}/refresh?again`, { method: 'POST' })).status, 401)
  t.equal(signedOut.sent.length, 1)
})

t.test('only a 401 signs the user out: a refresh that fails for another reason rejects, and the next request tries again', async (t) => {
  const { tab, session, expire, storage } = await signedIn(t)
  const { loadSession } = storage
  expire()
  Object.assign(storage, withVerbs(storage, { loadSession: async () => { throw new Error('down') } }))
  await Promise.all([1, 2, 3].map(async () => {
    await t.rejects(tab.client.refresh(), { name: 'OtpAuthClientError', status: 503, code: 'OTP_AUTH_STORAGE_UNAVAILABLE' })
  }))
  t.equal(tab.asked('/auth/refresh').length, 1, 'all callers share one failed refresh')
  const clientOf = (status: number) => createOtpAuthClient({ baseUrl: BASE, fetch: async () => new Response('<p>', { status }) })
  for (const status of [200, 403, 429, 500, 502]) {
    const client = clientOf(status)
    await t.rejects(client.refresh(), { name: 'OtpAuthClientError', status })
    await t.rejects(client.fetch(ME), { name: 'OtpAuthClientError', status })
    t.equal(client.session, undefined)
  }
  t.equal(tab.client.session, session)
  Object.assign(storage, { loadSession })
  t.equal((await tab.client.fetch(ME)).status, 200)
  t.equal(tab.changes.length, 1)

  await tab.client.fetch(`${BASE}/logout`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
  t.equal((await tab.client.fetch(ME)).status, 401)
  t.strictSame([tab.client.session, tab.changes.at(-1)], [null, null])
})

t.test('an aborted request stops waiting, and the refresh goes on for the others', async (t) => {
  const { tab, expire } = await signedIn(t)
  expire()
  const controller = new AbortController()
  const one = tab.client.fetch(ME, { signal: controller.signal })
  const two = tab.client.fetch(new Request(ME, { signal: controller.signal }))
  const other = tab.client.fetch(ME)
  while (tab.asked('/auth/refresh').length === 0) await new Promise(setImmediate)
  controller.abort(new Error('enough'))
  await t.rejects(one, { message: 'enough' })
  await t.rejects(two, { name: /Error/ })
  t.equal((await other).status, 200)
  t.equal(tab.asked('/auth/refresh').length, 1)
  await t.rejects(tab.client.fetch(ME, { signal: AbortSignal.abort(new Error('early')) }), { message: 'early' })
})
