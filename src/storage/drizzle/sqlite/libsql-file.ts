import { fillPlaceholders } from 'drizzle-orm'
import type { SQLitePreparedQuery, PreparedQueryConfig } from 'drizzle-orm/sqlite-core'
import { driverError } from '../shared.ts'

/** What is used of a `@libsql/client` on a file. */
export interface LibsqlFileClient {
  protocol: 'file'
  batch (statements: { sql: string, args: unknown[] }[], mode: 'write'): Promise<unknown[]>
  reconnect (): Promise<void>
}

export function isLibsqlFile (client: object | undefined): client is LibsqlFileClient {
  return (client as Partial<LibsqlFileClient> | undefined)?.protocol === 'file'
}

/**
 * Runs a write on a libsql file such that it either is on disk or rejects.
 *
 * A statement that failed with `SQLITE_BUSY` stays unfinished on its connection until it is garbage collected
 * (https://github.com/tursodatabase/libsql-client-ts/issues/352). Until then a plain write there **succeeds without being
 * committed**, to be rolled back later, and reads see the database as it was. In a transaction the commit is what fails; and
 * new connections are the end of it.
 */
export async function writeToLibsqlFile<T> (
  client: LibsqlFileClient,
  statement: SQLitePreparedQuery<PreparedQueryConfig & { type: 'async', all: T }>,
  values: Record<string, unknown>
): Promise<T> {
  const { sql, params } = statement.getQuery()
  try {
    const [result] = await client.batch([{ sql, args: fillPlaceholders(params, values) }], 'write')
    return statement.mapResult(result, true) as T
  } catch (error) {
    if (String(driverError(error).code).startsWith('SQLITE_BUSY')) await client.reconnect()
    throw error
  }
}
