/** The part of the application's logger that is used. Log entries contain results and IDs, never an address, code, token or cookie. */
export interface Log {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}
