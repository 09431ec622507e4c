import { sql } from 'drizzle-orm'
import type { MySql2Database, MySqlRawQueryResult } from 'drizzle-orm/mysql2'
import { withTimeout } from '../../../core/with-timeout.ts'
import { driverError } from '../driver-error.ts'

/** A Drizzle database on mysql2. If it has replicas, their primary. */
export type Connection = MySql2Database<Record<string, unknown>> & { $client?: object }

/** What a write reports. It has no rows to give back. */
export interface WriteResult {
  /** The number of rows that the condition held for. */
  matched: number
  /** The argument of `last_insert_id(…)` in the statement, the one number that an update can give back. */
  reported: number
}

/** What mysql2 adds to an error of the server. */
export type ServerError = Error & { errno?: number, sqlState?: string }

type Run = () => Promise<MySqlRawQueryResult>

/** `SERVER_STATUS_IN_TRANS`: with every result, the server says whether a transaction is still open. */
const IN_TRANSACTION = 1

const DEADLOCK_RETRIES = 10

/** Runs all statements: within the timeout, outside any transaction, and again after a deadlock. */
export function statementRunner (connection: Connection, timeout: number) {
  const isPool = connection.$client !== undefined && 'getConnection' in connection.$client
  const late = `MySQL did not respond within ${timeout} ms, including the wait for a free connection`

  /**
   * mysql2 does not limit the wait for a free connection of a pool, and cannot cancel a statement that waits. So a statement that
   * was given up may still run, as it may after a lost connection. It lets nobody in, because nobody receives its result.
   */
  const bounded = <T>(work: Promise<T>): Promise<T> => withTimeout(work, timeout, late)

  /**
   * SQLSTATE class 40 says that the server rolled back the whole transaction, because of a deadlock or a conflict in a cluster. The
   * transaction is this one statement, so it had no effect and may run again. No other error allows that: after a lost connection
   * the effect is unknown, and a lock wait that timed out has waited long enough. Under load, deadlocks happened between the
   * cleanup and updates that move a row's expiry, and none without a cleanup.
   */
  async function unlessDeadlocked (run: Run, retries = DEADLOCK_RETRIES): Promise<MySqlRawQueryResult> {
    try {
      return await run()
    } catch (error) {
      const undone = (driverError(error) as ServerError).sqlState?.startsWith('40') === true
      if (!undone || retries === 0) throw error
      return await unlessDeadlocked(run, retries - 1)
    }
  }

  function refuseTransaction ([{ serverStatus }]: MySqlRawQueryResult): void {
    if ((serverStatus & IN_TRANSACTION) !== 0) {
      throw new Error('The connection is inside a transaction: one of the application, or autocommit is off. Give fastify-otp-auth a pool, or a connection of its own')
    }
  }

  return {
    /** Rejects if the write joined a transaction. A rollback would undo a count, and allow an extra attempt. */
    async write (run: Run): Promise<WriteResult> {
      const result = await bounded(unlessDeadlocked(run))
      refuseTransaction(result)
      return { matched: Number(result[0].affectedRows), reported: Number(result[0].insertId) }
    },

    /**
     * A transaction on a single connection reads from a snapshot that may be older than a logout. The results of reads do not show
     * the server's status, so another statement asks for it before; a snapshot taken after that is fresh. A pool needs no such check.
     */
    async read<T> (run: () => Promise<T>): Promise<T> {
      if (!isPool) refuseTransaction(await bounded(connection.execute(sql`do 0`)))
      return await bounded(run())
    }
  }
}
