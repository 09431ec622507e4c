/** The error at the end of the chain of causes. Drizzle and other libraries wrap the driver's error in errors of their own. */
export function innermostCause (error: unknown): unknown {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  return innermost
}

/**
 * Returns a copy of an error that is safe to log: only the message and code of the innermost cause. The outer errors may quote
 * a database statement with its parameters, which contain addresses and MACs.
 */
export function loggableError (error: unknown): Error {
  const innermost = innermostCause(error)
  const { message, code } = innermost instanceof Error ? innermost as Error & { code?: unknown } : { message: String(innermost) }
  // The code is put into the message, because a logger that follows causes prints only their messages.
  return new Error(code === undefined ? message : `${message} (${String(code)})`)
}
