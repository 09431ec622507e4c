/** How the server makes request ids; whatever looks otherwise is none of ours, and storage is not asked for it. */
const REQUEST_ID = /^[\w-]{22}$/

/** The request id that a client carries: the body's wins over the cookie's. */
export function carriedRequestId (fromBody: string | undefined, fromCookie: string | undefined): string | undefined {
  const id = fromBody ?? fromCookie
  return REQUEST_ID.test(id ?? '') ? id : undefined
}
