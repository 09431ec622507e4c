/**
 * A column of the host's users table. What a host hands over is typed by its shape, not by Drizzle's classes: Drizzle declares
 * each of them twice, for ESM and for CommonJS, and their private members would refuse what a CommonJS host made.
 */
export interface UsersColumn<Dialect extends string, Data = unknown> {
  readonly _: { readonly dialect: Dialect, readonly data: Data }
}

/** A column as before, which is declared not null. */
export interface FilledColumn<Dialect extends string, Data> {
  readonly _: { readonly dialect: Dialect, readonly data: Data, readonly notNull: true }
}

/** What each Drizzle table has. */
export interface AnyTable {
  readonly _: { readonly brand: 'Table' }
}
