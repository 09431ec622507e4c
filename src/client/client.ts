/**
 * The client for your front end. It calls the plugin's four routes from a browser or from Node, and adds the access token
 * to your own requests. It imports nothing at run time, so a page can load this one file.
 */
import type {
  OtpAuthClient, OtpAuthClientOptions, OtpAuthClientSession, OtpAuthRequestedOtp, OtpAuthResumedLogin, OtpAuthTabs
} from './types.ts'

export type * from './types.ts'

/** Thrown if a request to one of the plugin's routes does not succeed. */
export class OtpAuthClientError extends Error {
  override readonly name = 'OtpAuthClientError'
  /** The HTTP status, or 0 if there was no response. */
  readonly status: number
  /**
   * The `code` of the response. The plugin sets codes such as `OTP_AUTH_INVALID_CODE`; Fastify and your own hooks have others.
   * The client itself sets two:
   * - `OTP_AUTH_UNREACHABLE`: there was no response, it came too late, or it was a redirect. The client does not follow
   *   redirects of the plugin's routes.
   * - `OTP_AUTH_UNEXPECTED_RESPONSE`: the response has no code and is not one of the plugin's, such as a proxy's error page.
   */
  readonly code: string
  /** Seconds to wait until a new attempt can succeed. */
  readonly retryAfter: number | undefined
  /** Attempts left for this code. */
  readonly attemptsRemaining: number | undefined

  constructor (status: number, code: string, message: string, extra: { retryAfter?: number, attemptsRemaining?: number, cause?: unknown }) {
    super(message, { cause: extra.cause })
    this.status = status
    this.code = code
    this.retryAfter = extra.retryAfter
    this.attemptsRemaining = extra.attemptsRemaining
  }
}

/** Undefined until the first response. Then the session, or null if no user is logged in. */
type SessionState = OtpAuthClientSession | null | undefined

/** Fields in the plugin's responses. A response from another server may have the same fields with values of any type. */
interface ResponseBody {
  access_token?: unknown
  refresh_token?: string
  expires_in: number
  request_id: string
  resend_after: number
  code_length: number
  code?: unknown
  message?: unknown
  retryAfter?: number
  attemptsRemaining?: number
}

/** Runs work that must not overlap with other work under the same lock. */
type WithLock = <Result>(work: () => Promise<Result>) => Promise<Result>

/** Globals of a page. Node does not have all of them. */
const page = globalThis as {
  document?: { readonly baseURI: string }
  location?: { readonly href: string }
  navigator?: { readonly locks?: OtpAuthTabs['locks'] }
}

/**
 * The longest timeout of a refresh, in milliseconds. A refresh can be sent twice, and both requests must end within the
 * server's `refreshGracePeriod`, which is 30 s by default.
 */
const REFRESH_TIMEOUT = 10_000

/** The plugin's routes. Each has a field that is in all of its successful responses, and shows that the plugin sent them. */
const ROUTE_FIELDS = {
  'request-otp': 'request_id', 'verify-otp': 'access_token', refresh: 'access_token', logout: 'message'
} as const
type Route = keyof typeof ROUTE_FIELDS

/**
 * Creates a client. It sends no request until you call one of its methods.
 *
 * @throws TypeError if `baseUrl` has a query or a `#`, or if it is relative and there is no page
 * @throws RangeError if `timeout` is not a number from 1 to 2147483647, the range of a timer
 */
export function createOtpAuthClient (options: OtpAuthClientOptions = {}): OtpAuthClient {
  const { baseUrl = '/auth', refreshToken: store, timeout = 30_000 } = options
  if (!(timeout >= 1 && timeout < 2 ** 31)) {
    throw new RangeError(`Invalid timeout ${timeout}. Expected a number of milliseconds from 1 to 2147483647.`)
  }
  const routesUrl = resolveBaseUrl(baseUrl)
  const apiOrigin = schemeAndHost(routesUrl)
  const credentials = options.credentials ?? (store === undefined ? 'include' : 'same-origin')
  const send: NonNullable<OtpAuthClientOptions['fetch']> = options.fetch ?? ((input, init) => fetch(input, init))

  const sharedName = `fastify-otp-auth ${routesUrl}`
  const tabs = options.tabs ?? tabsOfPage(sharedName)
  const { locks } = tabs
  let { channel } = tabs
  /**
   * Only one task at a time may change the refresh token. With Web Locks this holds for all tabs. Without the lock, the late
   * response of a refresh could replace the cookie of a newer login, and two refreshes could send the same token of a store.
   */
  const withLock: WithLock = locks ? (work) => locks.request(sharedName, work) : createQueue()

  let session: SessionState
  let pendingLogin: OtpAuthResumedLogin = {}
  let pendingRefresh: Promise<OtpAuthClientSession | null> | undefined
  const listeners = new Set<(session: OtpAuthClientSession | null) => void>()

  channel?.addEventListener('message', ({ data }) => {
    if (data === 'out') setSession(null)
    // Only the server can tell which user it is. If this refresh fails, the next request tries again.
    if (data === 'in') refreshSession(session).catch(() => {})
  })

  async function requestOtp (email: string): Promise<OtpAuthRequestedOtp> {
    const login: OtpAuthResumedLogin = { email, requestId: pendingLogin.email === email ? pendingLogin.requestId : undefined }
    pendingLogin = login
    const body = await post('request-otp', { email, request_id: login.requestId })
    login.requestId = body.request_id
    return {
      requestId: body.request_id,
      expiresIn: body.expires_in,
      resendAfter: body.resend_after,
      codeLength: body.code_length
    }
  }

  async function verifyOtp (code: string, resumed: OtpAuthResumedLogin = {}): Promise<OtpAuthClientSession> {
    const login = pendingLogin
    const { email = login.email, requestId = email === login.email ? login.requestId : undefined } = resumed
    return await withLock(async () => {
      const newSession = await saveTokens(await post('verify-otp', { email, code, request_id: requestId }))
      // Keep a login that was started in the meantime.
      if (pendingLogin === login) pendingLogin = {}
      setSession(newSession)
      channel?.postMessage('in')
      return newSession
    })
  }

  async function logout (): Promise<void> {
    await withLock(async () => {
      const token = await store?.get()
      await post('logout', token ? { refresh_token: token } : {}, session ? bearer(session) : {})
      await store?.set(undefined)
      setSession(null)
      channel?.postMessage('out')
    })
  }

  /** Replaces `oldSession`. Callers share one request. If the session has already been replaced, no request is sent. */
  function refreshSession (oldSession: SessionState): Promise<OtpAuthClientSession | null> {
    pendingRefresh ??= withLock(async () => {
      if (session !== oldSession) return session ?? null
      const token = await store?.get()
      if (store && !token) return setSession(null)

      let body: ResponseBody | undefined
      try {
        body = await postRefresh(token ? { refresh_token: token } : {})
      } catch (error) {
        const { status, code } = error as OtpAuthClientError
        // A server that is down, busy or unreachable says nothing about the session.
        if (status !== 401) throw error
        // A 401 with another code may come from a proxy, which knows nothing about the token. Then keep the token.
        if (code === 'OTP_AUTH_INVALID_REFRESH_TOKEN') await store?.set(undefined)
      }
      const newSession = body === undefined ? null : await saveTokens(body)
      // Without Web Locks, another tab may have logged out during the request. Its logout is newer.
      return session === oldSession ? setSession(newSession) : session ?? null
    }).finally(() => { pendingRefresh = undefined })
    return pendingRefresh
  }

  async function fetchWithToken (input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const inputRequest = isRequest(input) ? input : undefined
    const { href: url } = resolveUrl(inputRequest?.url ?? input as string | URL)
    const hasAuthorization = new Headers(init?.headers ?? inputRequest?.headers).has('authorization')
    // Only the API's origin gets the access token. Redirects need no check here: if a redirect leads to another origin,
    // `fetch` itself removes the header.
    if (hasAuthorization || !isApiOrigin(url)) return await send(inputRequest ?? url, init)

    // If `init` is a Request, its fields are in the prototype and `{ ...init }` would lose them.
    const request = inputRequest || isRequest(init) ? new Request(inputRequest ?? url, init) : undefined
    const signal = init?.signal ?? request?.signal

    function sendAs (user: SessionState): Promise<Response> {
      // Send a copy, because the body of a Request can be read only once.
      const copy = request?.clone()
      const headers = copy?.headers ?? new Headers(init?.headers)
      if (user) headers.set('authorization', bearer(user).authorization)
      // Send to `url`, so that the request goes to the URL that was checked.
      return copy ? send(copy) : send(url, { ...init, headers })
    }

    // A 401 of the plugin's own routes does not mean that the access token has expired.
    if (isPluginRoute(url)) return await sendAs(session)
    // After a page load, first find out who is logged in. Otherwise the request would be sent without a user.
    if (session === undefined) await rejectOnAbort(signal, () => refreshSession(undefined))

    const before = session
    const response = await sendAs(before)
    // If a redirect led to another origin, its 401 says nothing about our token.
    if (response.status !== 401 || !isApiOrigin(response.url || url)) return response

    const after = session === before ? await rejectOnAbort(signal, () => refreshSession(before)) : session
    // Never send the request again as another user, who may have logged in through another tab.
    const isOtherUser = before && after && before.userId !== after.userId
    // A stream in `init` cannot be read again. `fetch` requires `duplex` for a stream, so `duplex` identifies it.
    const isStream = init && 'duplex' in init
    if (!after || isOtherUser || isStream) return response
    response.body?.cancel().catch(() => {})
    return await sendAs(after)
  }

  /**
   * Sends a refresh, and sends it again at once if no response arrives. The lost response may have contained the next token,
   * and after the grace period the server would treat the token that is still here as stolen.
   */
  async function postRefresh (body: object): Promise<ResponseBody> {
    return await post('refresh', body).catch((error: OtpAuthClientError) => {
      if (error.status !== 0) throw error
      return post('refresh', body)
    })
  }

  async function post (route: Route, body: object, headers: Record<string, string> = {}): Promise<ResponseBody> {
    let response, text
    try {
      response = await send(routesUrl + route, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        credentials,
        // A redirect that keeps the method (307, 308) would send the code or the refresh token to another URL.
        redirect: 'error',
        signal: AbortSignal.timeout(route === 'refresh' ? Math.min(timeout, REFRESH_TIMEOUT) : timeout)
      })
      text = await response.text()
    } catch (cause) {
      throw new OtpAuthClientError(0, 'OTP_AUTH_UNREACHABLE', 'No response from the server. Check the connection and try again.', { cause })
    }
    const responseBody = parseBody(text)
    if (response.ok && responseBody?.[ROUTE_FIELDS[route]] !== undefined) return responseBody
    throw responseError(response, responseBody)
  }

  /** Stores the refresh token of a response, and returns the session for its access token. */
  async function saveTokens (body: ResponseBody): Promise<OtpAuthClientSession> {
    const { access_token: accessToken, expires_in: expiresIn, refresh_token: refreshToken } = body
    const userId = readUserId(accessToken)
    if (refreshToken !== undefined) await store?.set(refreshToken)
    // Counted from now by this machine's clock, because the server's clock may differ.
    return { accessToken: accessToken as string, expiresAt: Date.now() + expiresIn * 1000, userId }
  }

  function setSession<Next extends OtpAuthClientSession | null> (newSession: Next): Next {
    const isOtherUser = session === undefined || session?.userId !== newSession?.userId
    session = newSession
    if (isOtherUser) {
      // Each listener has its own microtask, so that an error in one neither fails the login nor stops the others.
      for (const listener of listeners) queueMicrotask(() => { if (listeners.has(listener)) listener(newSession) })
    }
    return newSession
  }

  function isApiOrigin (url: string): boolean {
    return schemeAndHost(url) === apiOrigin
  }

  function isPluginRoute (url: string): boolean {
    const path = url.replace(/[?#].*/, '')
    return Object.keys(ROUTE_FIELDS).some((route) => path === routesUrl + route)
  }

  return {
    get session () { return session },
    requestOtp,
    verifyOtp,
    refresh: () => refreshSession(session),
    logout,
    fetch: fetchWithToken,

    onChange (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },

    close () {
      channel?.close()
      // `postMessage` on a closed channel throws, and would fail a login that the server has already completed.
      channel = undefined
    }
  }
}

/**
 * Resolves a URL as `fetch` does, because the URL that `fetch` would request decides whether it gets the access token.
 *
 * @throws TypeError if the URL is relative and there is no page
 */
function resolveUrl (url: string | URL): URL {
  return new URL(url, page.document?.baseURI ?? page.location?.href)
}

/**
 * Returns the absolute URL of the plugin's routes, with a slash at the end.
 * It is resolved against the URL of the page and not against its `<base>`: an attacker who can insert a `<base>` into the page
 * must not be able to send codes and tokens to another server.
 */
function resolveBaseUrl (baseUrl: string): string {
  const pageUrl = page.location?.href
  const url = URL.canParse(baseUrl, pageUrl) ? new URL(baseUrl, pageUrl) : undefined
  if (url === undefined || /[?#]/.test(url.href)) {
    throw new TypeError(`Invalid baseUrl "${baseUrl}". Expected a path such as "/auth" or an absolute URL such as ` +
      '"https://api.example/auth", without a query or #. Use an absolute URL if there is no page.')
  }
  return url.href.replace(/\/*$/, '/')
}

/** Used instead of `URL.origin`, which is "null" for `data:` and for the schemes of apps, such as `capacitor:`. */
function schemeAndHost (url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}

/**
 * Returns the locks and the channel that a page shares with other tabs. Without a page it returns neither: the clients in one
 * Node process belong to different users, and the logout of one user must not reach another.
 */
function tabsOfPage (name: string): OtpAuthTabs {
  if (page.document === undefined) return {}
  return { locks: page.navigator?.locks, channel: globalThis.BroadcastChannel && new BroadcastChannel(name) }
}

/** A lock for this client alone: its work runs in the order of the calls. */
function createQueue (): WithLock {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }
}

/** Also true for a Request of another frame or of a polyfill, unlike `instanceof`. */
function isRequest (value: object | string | null | undefined): value is Request {
  return typeof value === 'object' && value !== null && 'clone' in value
}

function bearer ({ accessToken }: OtpAuthClientSession): { authorization: string } {
  return { authorization: `Bearer ${accessToken}` }
}

/** Returns undefined if the text is not JSON. */
function parseBody (text: string): ResponseBody | undefined {
  try {
    // `Object` turns null and plain values into an object without fields.
    return Object(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** @param body undefined if it is not JSON, as in a proxy's error page */
function responseError ({ status, headers }: Response, body: ResponseBody = {} as ResponseBody): OtpAuthClientError {
  const { code, message, attemptsRemaining, retryAfter = Number(headers.get('retry-after')) || undefined } = body
  return new OtpAuthClientError(
    status,
    typeof code === 'string' ? code : 'OTP_AUTH_UNEXPECTED_RESPONSE',
    typeof message === 'string' ? message : unexpected(`with status ${status}`),
    { attemptsRemaining, retryAfter }
  )
}

/**
 * Reads the `sub` claim of an access token. It cannot check the signature, because the server alone has the key.
 *
 * @throws OtpAuthClientError if it is not a token, because another server sent the response
 */
function readUserId (token: unknown): string {
  try {
    const claims = atob((token as string).split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))
    const { sub } = JSON.parse(new TextDecoder().decode(Uint8Array.from(claims, (byte) => byte.charCodeAt(0))))
    if (typeof sub !== 'string') throw new TypeError('The access token has no "sub" claim')
    return sub
  } catch (cause) {
    throw new OtpAuthClientError(200, 'OTP_AUTH_UNEXPECTED_RESPONSE', unexpected('without a valid access token'), { cause })
  }
}

function unexpected (detail: string): string {
  return `Unexpected response ${detail}. Expected a response from fastify-otp-auth. Check baseUrl and any proxy in front of the server.`
}

/** Returns the result of the work, or rejects when the signal is aborted. The work goes on, because others may wait for it. */
async function rejectOnAbort<Result> (signal: AbortSignal | null | undefined, work: () => Promise<Result>): Promise<Result> {
  signal?.throwIfAborted()
  return await new Promise((resolve, reject) => {
    const abort = (): void => reject(signal!.reason)
    signal?.addEventListener('abort', abort)
    work().then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
  })
}
