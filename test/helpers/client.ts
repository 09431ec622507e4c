import type { Test } from 'tap'
import { createOtpAuthClient, type OtpAuthClientOptions, type OtpAuthTabs } from '../../src/client/client.ts'
import { buildApp, type TestApp } from './app.ts'
import type { Browser } from './browser.ts'
import { remember } from './log.ts'

export const HOME = 'http://app.example'
export const BASE = `${HOME}/auth`

/** The body of a response to a login or a refresh, for tests without a server. */
export const LOGGED_IN = { access_token: `h.${btoa('{"sub":"u1"}')}.s`, expires_in: 900 }

type Fetch = NonNullable<OtpAuthClientOptions['fetch']>

/** A request as it was sent. */
export interface Sent {
  url: string
  method: string
  authorization: string | null
  body: string
}

/** A `fetch` that sends every request to the application with the cookies of this browser, and records it. */
export function fetchOf (browser: Browser): { fetch: Fetch, sent: Sent[] } {
  const sent: Sent[] = []
  async function fetch (input: string | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init)
    const { pathname, search } = new URL(request.url)
    const headers = Object.fromEntries(request.headers)
    const body = await request.text()
    sent.push({ url: request.url, method: request.method, authorization: request.headers.get('authorization'), body })
    const answer = await browser.send({
      method: request.method as 'GET', url: pathname + search, headers, ...(body !== '' && { payload: body })
    })
    request.signal.throwIfAborted()
    remember(answer.body.access_token)
    remember(answer.body.refresh_token)
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
    return new Response(text, { status: answer.status, headers: answer.headers as Record<string, string> })
  }
  return { fetch, sent }
}

/** An application and its clients. Each call of `client` opens a tab in Anna's browser, or in the browser that is given. */
export async function clientApp (t: Test, options: Parameters<typeof buildApp>[1] = {}) {
  const built: TestApp = await buildApp(t, options)
  const anna = built.browser()

  function client (more: OtpAuthClientOptions = {}, browser = anna) {
    const { fetch, sent } = fetchOf(browser)
    const client = createOtpAuthClient({ baseUrl: BASE, fetch, ...more })
    const changes: Array<string | null> = []
    client.onChange((session) => { changes.push(session?.userId ?? null) })
    t.teardown(client.close)
    return { client, sent, changes, asked: (path: string) => sent.filter(({ url }) => url === HOME + path) }
  }

  async function login (tab: ReturnType<typeof client>, email = 'anna@example.com') {
    remember(email)
    await tab.client.requestOtp(email)
    return await tab.client.verifyOtp(built.codeFor(email))
  }

  return { ...built, anna, client, login }
}

/** Web Locks for Node versions without them: one holder of a name at a time, in the order of the requests. */
export function standInLocks (): NonNullable<OtpAuthTabs['locks']> {
  const last = new Map<string, Promise<unknown>>()
  return {
    request (name, work) {
      const turn = (last.get(name) ?? Promise.resolve()).then(work)
      last.set(name, turn.catch(() => {}))
      return turn
    }
  }
}
