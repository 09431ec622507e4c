import { fillPlaceholders } from 'drizzle-orm'
import { driverError } from '../driver-error.ts'

/** The part of a `@libsql/client` on a file that is used here. */
export interface LibsqlFileClient {
  protocol: 'file'
  batch (statements: { sql: string, args: unknown[] }[], mode: 'write'): Promise<unknown[]>
  reconnect (): Promise<void>
}

/** The part of Drizzle's prepared statement that is used here. */
export interface WriteStatement {
  getQuery (): { sql: string, params: unknown[] }
  mapResult (result: unknown, isFromBatch: boolean): unknown
}

export function isLibsqlFile (client: object | undefined): client is LibsqlFileClient {
  return (client as Partial<LibsqlFileClient> | undefined)?.protocol === 'file'
}

/**
 * Runs a write on a libsql file. The write is on disk afterwards, or this rejects.
 *
 * A statement that failed with `SQLITE_BUSY` stays unfinished on its connection until it is garbage collected
 * (https://github.com/tursodatabase/libsql-client-ts/issues/352). Until then, a plain write on that connection **succeeds without a
 * commit** and is rolled back later, and reads see the old database. So each write is a transaction, in which the commit fails
 * instead, and after `SQLITE_BUSY` new connections replace the old ones.
 */
export async function writeToLibsqlFile (client: LibsqlFileClient, statement: WriteStatement, values: object): Promise<unknown> {
  const { sql, params } = statement.getQuery()
  try {
    const [result] = await client.batch([{ sql, args: fillPlaceholders(params, values as Record<string, unknown>) }], 'write')
    return statement.mapResult(result, true)
  } catch (error) {
    if (String(driverError(error).code).startsWith('SQLITE_BUSY')) await client.reconnect()
    throw error
  }
}
