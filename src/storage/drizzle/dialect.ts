import type { Placeholder, SQL } from 'drizzle-orm'
import type { AnyPgColumn, PgDatabase, PgQueryResultHKT, PgTable } from 'drizzle-orm/pg-core'
import type { counters, challenges, sessions, users } from './pg/schema.ts'

/*
 * Drizzle's query builders for the three dialects have the same methods, as far as the shared statements call them, and our
 * tables have the same columns in each. So PostgreSQL's types stand for all of them in the shared files.
 */

export type Database = PgDatabase<PgQueryResultHKT>

export interface Tables {
  challenges: typeof challenges
  counters: typeof counters
  sessions: typeof sessions
  /** The application's own table, or the default one. */
  users: typeof users
}

/** A query builder whose result is rows. */
export interface Query<Row> {
  readonly _: { readonly result: Row[] }
}

/** A query builder for an insert, an update or a delete. */
export interface Write<Row> {
  returning (): Query<Row>
  returning (fields: { changed: SQL }): Query<unknown>
}

/** Runs a statement with the values for its placeholders, by name. */
export type Statement<Result> = (values: object) => Promise<Result>

/** How a dialect prepares and runs statements, and what it does in its own way. */
export interface Dialect {
  db: Database
  tables: Tables
  /** A statement that reads one row. */
  readFirst<Row> (build: () => Query<Row>): Statement<Row | undefined>
  /** A statement that reads all its rows. */
  readAll<Row> (build: () => Query<Row>): Statement<Row[]>
  /** A statement that writes, and whose result nobody needs. */
  execute (build: () => Write<unknown>): Statement<unknown>
  /** A statement that writes. It resolves to the number of rows that matched its condition. */
  write (build: () => Write<unknown>): Statement<number>
  /** Runs an update of the user with this address, built for this call, and returns the row if it was updated. */
  updateUser<Row> (query: Write<Row>, email: string): Promise<Row | undefined>
  /** Runs an insert of a user with this address, built for this call, and returns the row. */
  insertUser<Row> (query: Write<Row>, email: string): Promise<Row>
  /** Whether the database refused a statement because of a constraint, or because of a value that a column cannot hold. */
  isRefusal (error: unknown): boolean
  /** Finds a user by email address, byte by byte. A looser comparison could return one user for the address of another. */
  emailIs (email: string | Placeholder): SQL
  /** Deletes the first `limit` rows that expired before `before`. */
  removeExpired (table: PgTable, id: AnyPgColumn, expiry: AnyPgColumn): Statement<number>
}

/** A dialect in which an insert, an update or a delete can return the rows that it changed. */
export interface ReturningDialect extends Dialect {
  /** A statement that writes and returns rows. */
  writeRows<Row> (build: () => Query<Row>): Statement<Row[]>
}
