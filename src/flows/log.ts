/** What a flow may say to the operator: outcomes and ids, never an address, a code, a token or a cookie. */
export interface Log {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}
