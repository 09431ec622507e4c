/** The part of the application's logger that is used. Log entries contain results and IDs, never an address, code, token or cookie. */
export interface Log {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

/** Replaces an address in a text that will be logged, in any case: servers may quote it in upper case. */
export function hideAddress (text: string, email: string): string {
  return text.replace(new RegExp(email.replace(/[^a-z0-9@]/gi, '\\$&'), 'gi'), '[address]')
}
