import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { createOtpAuthClient, type OtpAuthClientOptions, type OtpAuthTabs } from '../../src/client/client.ts'
import { BASE, clientApp, fetchOf, HOME, LOGGED_IN, standInLocks } from '../helpers/client.ts'

const ME = `${HOME}/me`
const nodeLocks = (globalThis as { navigator?: { locks?: OtpAuthTabs['locks'] } }).navigator?.locks

/** Each call returns the locks and a new channel for one more tab. */
function tabsWith (locks: OtpAuthTabs['locks']): () => OtpAuthTabs {
  const name = randomUUID()
  return () => ({ locks, channel: new BroadcastChannel(name) })
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise(setImmediate)
}

for (const [kind, locks] of [['Web Locks', nodeLocks ?? standInLocks()], ['no locks', undefined]] as const) {
  t.test(`${kind}: ten tabs refresh at once, and all stay signed in`, async (t) => {
    const { client, login, anna, clock, events } = await clientApp(t)
    const tabs = tabsWith(locks)
    let atOnce = 0
    let most = 0
    const open = () => {
      const { fetch } = fetchOf(anna)
      return client({
        tabs: tabs(),
        fetch: async (input, init) => {
          if (input !== `${BASE}/refresh`) return await fetch(input, init)
          most = Math.max(most, ++atOnce)
          return await fetch(input, init).finally(() => { atOnce-- })
        }
      })
    }
    await login(client())
    const openTabs = Array.from({ length: 10 }, open)
    for (let round = 0; round < 3; round++) {
      const responses = await Promise.all(openTabs.flatMap((tab) => [tab.client.fetch(ME), tab.client.fetch(ME)]))
      t.ok(responses.every(({ status }) => status === 200))
      clock.advance(901)
    }
    t.equal(most, locks ? 1 : 10, locks ? 'one refresh at a time' : 'one refresh per tab')
    t.notOk(events.some(({ type }) => type === 'refresh-token.reused'))
  })

  t.test(`${kind}: a logout in one tab signs the other tabs out`, async (t) => {
    const { client, login } = await clientApp(t)
    const tabs = tabsWith(locks)
    const one = client({ tabs: tabs() })
    const other = client({ tabs: tabs() })
    const { userId } = await login(one)
    await until(() => other.client.session != null)
    t.strictSame(other.changes, [userId], 'the other tab was told about the login')
    await one.client.logout()
    await until(() => other.client.session === null)
    t.strictSame([one.changes, other.changes], [[userId, null], [userId, null]])
    t.equal((await other.client.fetch(ME)).status, 401)
  })
}

t.test('without a channel, a tab notices a logout in another tab at its next 401', async (t) => {
  const { client, login } = await clientApp(t)
  const one = client()
  const other = client()
  await login(one)
  await other.client.refresh()
  await one.client.logout()
  t.equal((await other.client.fetch(ME)).status, 401)
  t.equal(other.client.session, null)
})

t.test('a request is never sent again as another user who signed in in another tab', async (t) => {
  const { client, login } = await clientApp(t)
  const one = client()
  const other = client()
  const anna = await login(one)
  const ben = await login(other, 'ben@example.com')
  t.equal((await one.client.fetch(ME, { method: 'GET' })).status, 401)
  t.equal(one.asked('/me').length, 1)
  t.strictSame(one.changes, [anna.userId, ben.userId], 'the listener is told about the new user')
  t.match(await (await one.client.fetch(ME)).json(), { email: 'ben@example.com' })
})

t.test('a login waits for a running refresh, whose cookie would restore the old session', async (t) => {
  const { client, login, codeFor } = await clientApp(t)
  const tab = client()
  await login(tab)
  await tab.client.requestOtp('ben@example.com')
  const order: string[] = []
  await Promise.all([
    tab.client.refresh().then(() => order.push('refresh')),
    tab.client.verifyOtp(codeFor('ben@example.com')).then(() => order.push('login')),
    tab.client.refresh().then(() => order.push('refresh'))
  ])
  t.strictSame(tab.sent.slice(-2).map(({ url }) => url), [`${BASE}/refresh`, `${BASE}/verify-otp`])
  t.equal(order.at(-1), 'login')
  t.match(await (await tab.client.fetch(ME)).json(), { email: 'ben@example.com' })
})

t.test('a refresh that waited for a logout sends no request', async (t) => {
  const { client, login } = await clientApp(t)
  const tab = client()
  await login(tab)
  const [, refreshed] = await Promise.all([tab.client.logout(), tab.client.refresh()])
  t.equal(refreshed, null)
  t.equal(tab.asked('/auth/refresh').length, 0)
})

t.test('a logout in another tab during a refresh wins over the refresh', async (t) => {
  const { client, login } = await clientApp(t)
  const channel = new EventTarget()
  const tab = client({ tabs: { channel: Object.assign(channel, { postMessage: () => {}, close: () => {} }) } })
  await login(tab)
  const refreshed = tab.client.refresh()
  await until(() => tab.asked('/auth/refresh').length > 0)
  channel.dispatchEvent(Object.assign(new Event('message'), { data: 'out' }))
  t.equal(await refreshed, null)
  t.equal(tab.client.session, null)

  channel.dispatchEvent(Object.assign(new Event('message'), { data: { access_token: 'planted' } }))
  t.equal(tab.client.session, null, 'other messages are ignored')
})

t.test('if the refresh after a login in another tab fails, the session stays unknown', async (t) => {
  const channel = Object.assign(new EventTarget(), { postMessage: () => {}, close: () => {} })
  let requests = 0
  const client = createOtpAuthClient({
    baseUrl: BASE,
    tabs: { channel },
    fetch: async () => {
      requests++
      throw new Error('offline')
    }
  })
  channel.dispatchEvent(Object.assign(new Event('message'), { data: 'in' }))
  await until(() => requests === 2) // a refresh without a response is sent again
  t.equal(client.session, undefined)
})

t.test('messages to other tabs contain no token', async (t) => {
  const { client, login } = await clientApp(t)
  const messages: unknown[] = []
  const channel = { postMessage: (message: unknown) => { messages.push(message) }, addEventListener: () => {}, close: () => {} }
  const tab = client({ tabs: { channel } })
  await login(tab)
  await tab.client.refresh()
  await tab.client.logout()
  t.strictSame(messages, ['in', 'out'])
})

/** Gives clients that are created afterwards the globals of a page. */
function enterPage (t: Test, globals: Record<string, unknown>) {
  const address = 'http://app.example/shop/cart'
  const page = { document: { baseURI: address }, location: { href: address }, ...globals }
  for (const [name, value] of Object.entries(page)) t.intercept(globalThis, name as never, { value, writable: true } as never)
}

t.test('in a page, URLs are relative to the page, and tabs share its locks and channel', async (t) => {
  const requests: string[] = []
  const options: OtpAuthClientOptions = {
    fetch: async (input, init) => {
      requests.push(`${String(input)} ${new Headers(init?.headers).get('authorization')}`)
      return new Response('', { status: 401 })
    }
  }
  const lockNames: string[] = []
  const channels: string[] = []
  let open = 0
  class Channel extends EventTarget {
    constructor (name: string) {
      super()
      channels.push(name)
      open++
    }

    close () { open-- }
  }
  const locks = {
    request: (name: string, work: () => unknown) => {
      lockNames.push(name)
      return work()
    }
  }
  enterPage(t, { navigator: { locks }, BroadcastChannel: Channel })
  const client = createOtpAuthClient(options)
  t.equal((await client.fetch('items?page=2')).status, 401)
  await client.fetch('//evil.example/me')
  t.strictSame(requests, [
    'http://app.example/auth/refresh null', 'http://app.example/shop/items?page=2 null', 'http://app.example/auth/refresh null',
    'http://evil.example/me null'
  ])
  t.strictSame(new Set([...lockNames, ...channels]), new Set(['fastify-otp-auth http://app.example/auth/']))
  client.close()
  t.equal(open, 0)

  // An old browser, or a page that is not served over HTTPS.
  enterPage(t, { navigator: {}, BroadcastChannel: undefined })
  const oldBrowser = createOtpAuthClient(options)
  t.equal(await oldBrowser.refresh(), null)
  oldBrowser.close()
})

t.test('a <base> that an attacker inserts into the page redirects neither the routes nor the token', async (t) => {
  const requests: string[] = []
  const options: OtpAuthClientOptions = {
    tabs: {},
    fetch: async (input, init) => {
      requests.push(`${String(input)} ${new Headers(init?.headers).get('authorization') === null ? 'no token' : 'the token'}`)
      return Response.json(LOGGED_IN)
    }
  }
  const document = { baseURI: 'http://app.example/shop/cart' }
  enterPage(t, { document })
  const early = createOtpAuthClient(options)
  document.baseURI = 'http://evil.example/'
  for (const client of [early, createOtpAuthClient(options)]) {
    await client.refresh()
    await client.fetch('/me')
    await client.fetch('http://app.example/me')
  }
  const seen = ['http://app.example/auth/refresh no token', 'http://evil.example/me no token', 'http://app.example/me the token']
  t.strictSame(requests, [...seen, ...seen])
})

t.test('a closed client can still log in and out', async (t) => {
  const { client, login } = await clientApp(t)
  const tab = client({ tabs: { channel: new BroadcastChannel(randomUUID()) } })
  tab.client.close()
  const { userId } = await login(tab)
  await tab.client.logout()
  t.strictSame(tab.changes, [userId, null])
  tab.client.close()
})

t.test('a listener that another listener removes is not called, even for the current change', async (t) => {
  const { client } = await clientApp(t)
  const { client: tab } = client()
  const calls: string[] = []
  const stop = { second: () => {} }
  tab.onChange(() => { calls.push('first'); stop.second() })
  stop.second = tab.onChange(() => { calls.push('second') })
  await tab.refresh()
  await new Promise(setImmediate)
  t.strictSame(calls, ['first'])
})

t.test('in a worker, URLs are relative to its script, and the client uses the current global fetch', async (t) => {
  const requests: string[] = []
  t.intercept(globalThis, 'location' as never, { value: { href: 'http://app.example/worker.js' } } as never)
  t.intercept(globalThis, 'fetch', {
    value: async (input: string) => {
      requests.push(input)
      return new Response('', { status: 401 })
    }
  })
  const client = createOtpAuthClient()
  await client.refresh()
  await client.fetch('me')
  t.strictSame(requests.slice(0, 2), ['http://app.example/auth/refresh', 'http://app.example/me'])
})
