import { innermostCause } from '../../core/error-causes.ts'

/** The error that the driver threw. Drizzle wraps it in errors of its own. */
export function driverError (error: unknown): Error & { code?: unknown } {
  return innermostCause(error) as Error
}
