import type { AnyColumn, Placeholder, SQL } from 'drizzle-orm'
import type { AnyPgColumn, PgDatabase, PgQueryResultHKT, PgTable } from 'drizzle-orm/pg-core'
import type { budgets, challenges, sessions, users } from './pg/schema.ts'

/*
 * Drizzle's query builders for the three dialects have the same methods, as far as the shared statements call them, and our
 * tables have the same columns in each. So PostgreSQL's types stand for all of them in the shared files.
 */

export type Database = PgDatabase<PgQueryResultHKT>

export interface Tables {
  challenges: typeof challenges
  budgets: typeof budgets
  sessions: typeof sessions
  /** The application's own table, or the default one. */
  users: typeof users
}

/** A query builder whose result is rows. */
export interface Query<Row> {
  readonly _: { readonly result: Row[] }
}

/** A query builder for an insert, an update or a delete. */
export interface Write {
  returning (fields: { changed: SQL }): Query<unknown>
}

/** Runs a statement with values for its placeholders, by name. It is prepared at the first call, and once. */
export type Statement<Result> = (values: object) => Promise<Result>

/** What the shared statements need to know about a dialect. */
export interface Dialect {
  db: Database
  tables: Tables
  /** A statement that reads one row. */
  readFirst<Row> (build: () => Query<Row>): Statement<Row | undefined>
  /** A statement that reads all its rows. */
  readAll<Row> (build: () => Query<Row>): Statement<Row[]>
  /** A statement that writes. It resolves to the number of rows that matched its condition. */
  write (build: () => Write): Statement<number>
  /** Finds a user by email address, byte by byte. A looser comparison could return one user for the address of another. */
  emailIs (email: string | Placeholder): SQL
  /** Deletes the first `limit` rows that expired before `before`. */
  removeExpired (table: PgTable, id: AnyPgColumn, expiry: AnyPgColumn): Statement<number>
}

/** A dialect in which an insert, an update or a delete can return the rows that it changed. */
export interface ReturningDialect extends Dialect {
  /** A statement that writes and returns rows. */
  writeRows<Row> (build: () => Query<Row>): Statement<Row[]>
  /** Runs a write that is built anew at each call. */
  writeOnce<Row> (query: Query<Row>): Promise<Row[]>
  /** Whether the database refused a row because of a constraint or of a value that its column cannot hold. */
  isRefusal (error: unknown): boolean
}
