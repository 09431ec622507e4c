/** The error that the driver threw. Drizzle wraps it in errors of its own. */
export function driverError (error: unknown): Error & { code?: unknown } {
  let innermost = error as Error
  while (innermost.cause instanceof Error) innermost = innermost.cause
  return innermost
}
