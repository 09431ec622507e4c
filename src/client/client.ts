/**
 * The front end's side of the four routes, for browsers and for Node. It imports nothing, so a page can load this one file.
 */
import type {
  OtpAuthClient, OtpAuthClientOptions, OtpAuthClientSession, OtpAuthRequestedOtp, OtpAuthResumedLogin, OtpAuthTabs
} from './types.ts'

export type * from './types.ts'

/** Why one of the plugin's routes gave no success. */
export class OtpAuthClientError extends Error {
  override readonly name = 'OtpAuthClientError'
  /** The HTTP status; 0 where no answer came. */
  readonly status: number
  /**
   * The `code` of the answer: one of the plugin's, such as `OTP_AUTH_INVALID_CODE`, one of Fastify's, or one of your hooks'.
   * `OTP_AUTH_UNREACHABLE`: no answer came, or not in time, or only a redirect (none is followed).
   * `OTP_AUTH_UNEXPECTED_ANSWER`: an answer without a code, such as a proxy's own page.
   */
  readonly code: string
  /** Seconds until a try can succeed. */
  readonly retryAfter: number | undefined
  /** Wrong codes that can still be entered. */
  readonly attemptsRemaining: number | undefined

  constructor (status: number, code: string, message: string, extra: { retryAfter?: number, attemptsRemaining?: number, cause?: unknown }) {
    super(message, { cause: extra.cause })
    this.status = status
    this.code = code
    this.retryAfter = extra.retryAfter
    this.attemptsRemaining = extra.attemptsRemaining
  }
}

/** What answers of the plugin hold, and what anybody else's may hold under the same names. */
interface Answer {
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

/** What a page has, and Node has not or not everywhere. */
const page = globalThis as {
  document?: { readonly baseURI: string }
  location?: { readonly href: string }
  navigator?: { readonly locks?: OtpAuthTabs['locks'] }
}

/** Milliseconds for each of two tries: both must be over before the server's `refreshGracePeriod` is, 30 s unless set. */
const REFRESH_TIMEOUT = 10_000

/** The plugin's own routes, each with the field that only an answer of the plugin has. */
const PROOFS = { 'request-otp': 'request_id', 'verify-otp': 'access_token', refresh: 'access_token', logout: 'message' } as const
type Route = keyof typeof PROOFS

/** The address that `fetch` would ask, for it alone decides who gets the access token. Throws where it is relative to nothing. */
const resolve = (address: string | URL): URL => new URL(address, page.document?.baseURI ?? page.location?.href)

/**
 * Where the routes are, with a slash at its end: read once, and from the page's own address alone, for a `<base>` that
 * somebody smuggles into the page must not move the place that gets codes and tokens.
 */
function readBaseUrl (baseUrl: string): string {
  const address = page.location?.href
  const place = URL.canParse(baseUrl, address) ? new URL(baseUrl, address) : undefined
  if (place === undefined || /[?#]/.test(place.href)) {
    throw new TypeError('baseUrl must be a path such as "/auth", or an absolute address such as "https://api.example/auth" where ' +
      `there is no page, without a query or #; got "${baseUrl}"`)
  }
  return place.href.replace(/\/*$/, '/')
}

/** Scheme and host; not the `origin`, which is "null" for `data:` and for schemes of apps, such as `capacitor:`. */
function schemeAndHost (address: string): string {
  const { protocol, host } = new URL(address)
  return `${protocol}//${host}`
}

/**
 * Makes a client. It asks nothing of the server before it is told to.
 *
 * @throws TypeError for a `baseUrl` that is relative where there is no page, or has a query
 * @throws RangeError for a `timeout` that no timer can keep
 */
export function createOtpAuthClient (options: OtpAuthClientOptions = {}): OtpAuthClient {
  const { baseUrl = '/auth', refreshToken: store, timeout = 30_000 } = options
  if (!(timeout >= 1 && timeout < 2 ** 31)) throw new RangeError('timeout must be a number of milliseconds from 1 to 2147483647')
  const base = readBaseUrl(baseUrl)
  const home = schemeAndHost(base)
  const isHome = (address: string): boolean => schemeAndHost(address) === home
  const credentials = options.credentials ?? (store === undefined ? 'include' : 'same-origin')
  const send: NonNullable<OtpAuthClientOptions['fetch']> = options.fetch ?? ((input, init) => fetch(input, init))
  const name = `fastify-otp-auth ${base}`
  // Clients in one Node process belong to many users: nobody's logout may reach another's.
  const tabs: OtpAuthTabs = options.tabs ?? (page.document === undefined
    ? {}
    : { locks: page.navigator?.locks, channel: globalThis.BroadcastChannel && new BroadcastChannel(name) })
  const { locks } = tabs
  let { channel } = tabs

  let session: OtpAuthClientSession | null | undefined
  let login: OtpAuthResumedLogin = {}
  let renewing: Promise<OtpAuthClientSession | null> | undefined
  let lastTurn: Promise<unknown> = Promise.resolve()
  const listeners = new Set<(session: OtpAuthClientSession | null) => void>()

  function become<Next extends OtpAuthClientSession | null> (next: Next): Next {
    const isChange = session === undefined || session?.userId !== next?.userId
    session = next
    // Later and one by one: what a listener throws is its own affair, and fails no login.
    if (isChange) for (const listener of listeners) queueMicrotask(() => { if (listeners.has(listener)) listener(next) })
    return next
  }

  /**
   * What changes the refresh token takes turns, among the tabs where they can: the answer of a refresh that comes after that
   * of a login would put the old session's cookie back, and two readers of a store would present one token twice.
   */
  function inTurn<Result> (work: () => Promise<Result>): Promise<Result> {
    if (locks) return locks.request(name, work)
    const turn = lastTurn.then(work)
    lastTurn = turn.catch(() => {})
    return turn
  }

  async function post (route: Route, body: object, headers: Record<string, string> = {}): Promise<Answer> {
    let response, text
    try {
      response = await send(base + route, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        credentials,
        // A redirect that keeps the method (307, 308) would carry the code or the refresh token to wherever it leads.
        redirect: 'error',
        signal: AbortSignal.timeout(route === 'refresh' ? Math.min(timeout, REFRESH_TIMEOUT) : timeout)
      })
      text = await response.text()
    } catch (cause) {
      throw new OtpAuthClientError(0, 'OTP_AUTH_UNREACHABLE', 'The server cannot be reached', { cause })
    }
    const answer = parse(text)
    if (response.ok && answer?.[PROOFS[route]] !== undefined) return answer
    throw failure(response, answer)
  }

  /** The session of an answer, once its refresh token is stored. */
  async function kept (answer: Answer): Promise<OtpAuthClientSession> {
    const { access_token: accessToken, expires_in: expiresIn, refresh_token: refreshToken } = answer
    const userId = userOf(accessToken)
    if (refreshToken !== undefined) await store?.set(refreshToken)
    // By this clock and from now on: the two clocks need not agree.
    return { accessToken: accessToken as string, expiresAt: Date.now() + expiresIn * 1000, userId }
  }

  /**
   * Once more where no answer came, and soon: it may have been lost on its way, with the next token in it, and past the
   * grace period the one that is still here would count as stolen.
   */
  async function askForRefresh (body: object): Promise<Answer> {
    return await post('refresh', body).catch((error: OtpAuthClientError) => {
      if (error.status !== 0) throw error
      return post('refresh', body)
    })
  }

  /** A session to follow `stale`, asked for once for all who wait; whatever has followed it by now, unasked. */
  function renew (stale: typeof session): Promise<OtpAuthClientSession | null> {
    renewing ??= inTurn(async () => {
      if (session !== stale) return session ?? null
      const token = await store?.get()
      if (store && !token) return become(null)
      let answer: Answer | undefined
      try {
        answer = await askForRefresh(token ? { refresh_token: token } : {})
      } catch (error) {
        const { status, code } = error as OtpAuthClientError
        // A server that is down, busy or out of reach says nothing about the session.
        if (status !== 401) throw error
        // Nor does a proxy's own 401 say that the token is worth nothing.
        if (code === 'OTP_AUTH_INVALID_REFRESH_TOKEN') await store?.set(undefined)
      }
      const next = answer === undefined ? null : await kept(answer)
      // Without locks, another tab may have logged out while the answer was on its way.
      return session === stale ? become(next) : session ?? null
    }).finally(() => { renewing = undefined })
    return renewing
  }

  channel?.addEventListener('message', ({ data }) => {
    if (data === 'out') become(null)
    // Who it is, only the server tells; where it cannot be asked now, the next request asks.
    if (data === 'in') renew(session).catch(() => {})
  })

  async function fetchAsUser (input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const given = typeof input === 'object' && 'headers' in input ? input : undefined
    const { href } = resolve(given?.url ?? input as string | URL)
    // The token goes nowhere but home. Redirects need no rule: `fetch` itself drops the header on the way to another origin.
    if (!isHome(href) || new Headers(init?.headers ?? given?.headers).has('authorization')) return await send(given ?? href, init)

    // A Request as `init` has its fields in its prototype, which a copy by `...` would leave behind.
    const request = given || (init && 'clone' in init) ? new Request(given ?? href, init) : undefined
    const signal = init?.signal ?? request?.signal
    function attempt (as: typeof session): Promise<Response> {
      // A copy, for the body of a Request can be read once only.
      const copy = request?.clone()
      const headers = copy?.headers ?? new Headers(init?.headers)
      if (as) headers.set('authorization', `Bearer ${as.accessToken}`)
      // The resolved address, so that what was checked is what is asked.
      return copy ? send(copy) : send(href, { ...init, headers })
    }

    // The routes themselves answer 401 for reasons of their own.
    const path = href.replace(/[?#].*/, '')
    if (Object.keys(PROOFS).some((route) => path === base + route)) return await attempt(session)
    // After a reload, before anybody has asked, the request would go out as nobody's.
    if (session === undefined) await unlessAborted(signal, () => renew(undefined))
    const before = session
    const response = await attempt(before)
    // A 401 from wherever a redirect led says nothing about our token.
    if (response.status !== 401 || !isHome(response.url || href)) return response
    const after = session === before ? await unlessAborted(signal, () => renew(before)) : session
    // Never sent again as somebody else, who may have signed in in another tab; nor a stream, which `duplex` tells.
    if (!after || (before && before.userId !== after.userId) || (init && 'duplex' in init)) return response
    response.body?.cancel().catch(() => {})
    return await attempt(after)
  }

  return {
    get session () { return session },

    async requestOtp (email): Promise<OtpAuthRequestedOtp> {
      const asked = login = { email, requestId: login.email === email ? login.requestId : undefined }
      const answer = await post('request-otp', { email, request_id: asked.requestId })
      asked.requestId = answer.request_id
      return {
        requestId: answer.request_id,
        expiresIn: answer.expires_in,
        resendAfter: answer.resend_after,
        codeLength: answer.code_length
      }
    },

    verifyOtp (code, { email = login.email, requestId = email === login.email ? login.requestId : undefined } = {}) {
      const begun = login
      return inTurn(async () => {
        const next = await kept(await post('verify-otp', { email, code, request_id: requestId }))
        // Unless another one was begun in the meantime.
        if (login === begun) login = {}
        become(next)
        channel?.postMessage('in')
        return next
      })
    },

    refresh: () => renew(session),

    logout () {
      return inTurn(async () => {
        const token = await store?.get()
        await post('logout', token ? { refresh_token: token } : {}, session ? { authorization: `Bearer ${session.accessToken}` } : {})
        await store?.set(undefined)
        become(null)
        channel?.postMessage('out')
      })
    },

    fetch: fetchAsUser,

    onChange (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },

    close () {
      channel?.close()
      // A closed channel throws when something is posted, which would fail a login that the server has already done.
      channel = undefined
    }
  }
}

/** The object that the text holds as JSON, if it does. */
function parse (text: string): Answer | undefined {
  try {
    return Object(JSON.parse(text))
  } catch {
    return undefined
  }
}

function failure ({ status, headers }: Response, answer: Answer = {} as Answer): OtpAuthClientError {
  const { code, message, attemptsRemaining, retryAfter = Number(headers.get('retry-after')) || undefined } = answer
  return new OtpAuthClientError(
    status,
    typeof code === 'string' ? code : 'OTP_AUTH_UNEXPECTED_ANSWER',
    typeof message === 'string' ? message : `The server answered ${status}`,
    { attemptsRemaining, retryAfter }
  )
}

/** @throws OtpAuthClientError for what is no token: a success that some other server answered */
function userOf (token: unknown): string {
  try {
    const claims = atob((token as string).split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))
    const { sub } = JSON.parse(new TextDecoder().decode(Uint8Array.from(claims, (byte) => byte.charCodeAt(0))))
    if (typeof sub !== 'string') throw new TypeError('no sub')
    return sub
  } catch (cause) {
    throw new OtpAuthClientError(200, 'OTP_AUTH_UNEXPECTED_ANSWER', 'The server answered without an access token', { cause })
  }
}

/** What the work comes to, or the signal's reason as soon as it is aborted. The work goes on: others wait for it, too. */
async function unlessAborted<Result> (signal: AbortSignal | null | undefined, work: () => Promise<Result>): Promise<Result> {
  signal?.throwIfAborted()
  return await new Promise((resolve, reject) => {
    const abort = (): void => reject(signal!.reason)
    signal?.addEventListener('abort', abort)
    work().then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
  })
}
