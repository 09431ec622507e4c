import { randomUUID } from 'node:crypto'
import { Column, is } from 'drizzle-orm'
import type { UserRecord } from '../contract.ts'

/** A column that is declared not null. */
interface FilledColumn<Dialect extends string, Data> {
  readonly _: { readonly dialect: Dialect, readonly data: Data, readonly notNull: true }
}

/**
 * A users table of the application. It has these three properties, under any column names, and any other columns.
 *
 * It is typed by its shape, because Drizzle declares each class twice, for ESM and for CommonJS. The private members of these
 * classes would refuse a table that a CommonJS application made.
 */
export interface UsersTableOf<Dialect extends string> {
  readonly _: { readonly brand: 'Table' }
  id: { readonly _: { readonly dialect: Dialect, readonly data: unknown } }
  /**
   * The normalized email address: text, not null, **unique**. On SQLite, the column has to compare byte by byte. On PostgreSQL,
   * MySQL and MariaDB, addresses are compared byte by byte with any collation.
   */
  email: FilledColumn<Dialect, string>
  isVerified: FilledColumn<Dialect, boolean>
}

/**
 * The users table to work on. The types ask for its columns; this check tells applications in JavaScript at startup.
 *
 * @throws TypeError that names the missing column
 */
export function usersTable<Default extends object> (given: object | undefined, byDefault: Default): Default {
  const table = given ?? byDefault
  for (const column of ['id', 'email', 'isVerified']) {
    if (!is((table as Record<string, unknown>)[column], Column)) {
      throw new TypeError(`The users table has no column "${column}". Declare one under this property name; its name in the database may differ`)
    }
  }
  return table as Default
}

/**
 * Turns the text of a token's `sub` claim into the type of the `id` column.
 *
 * @returns `undefined` if the text cannot be an ID of that type, so that no row has it
 */
export function parseId (column: Column, text: string): unknown {
  if (column.dataType === 'number') return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined
  if (column.dataType === 'bigint') return /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined
  return text
}

/** A random ID, if the column holds text and neither the database, the table's definition nor the application fills it. */
export function missingId (column: Column, fields: Record<string, unknown>): Record<string, unknown> {
  return column.dataType === 'string' && !column.hasDefault && fields['id'] === undefined ? { id: randomUUID() } : {}
}

/** A row of the users table, as the storage contract hands it out. */
export function toUserRecord (row: { id: unknown, email: string, isVerified: boolean }): UserRecord {
  return { id: String(row.id), email: row.email, isVerified: row.isVerified, row }
}
