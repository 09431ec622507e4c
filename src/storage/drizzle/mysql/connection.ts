import { sql } from 'drizzle-orm'
import type { MySql2Database, MySqlRawQueryResult } from 'drizzle-orm/mysql2'
import { inTime } from '../../../core/in-time.ts'
import { driverError } from '../shared.ts'

/** A Drizzle database on mysql2; with replicas, their primary. */
export type Database = MySql2Database<Record<string, unknown>> & { $client?: object }

/** What a write says of itself: it has no rows to give back. */
export interface WriteResult {
  /** Rows that the condition held for. */
  matched: number
  /** What the statement passed to `last_insert_id(…)`, the one number that comes back with an update. */
  answer: number
}

/** What mysql2 adds to an error of the server. */
export type ServerError = Error & { errno?: number, sqlState?: string }

type Statement = () => Promise<MySqlRawQueryResult>

/** `SERVER_STATUS_IN_TRANS`: the server says with every result whether it left a transaction open. */
const IN_TRANSACTION = 1

const DEADLOCK_RETRIES = 10

/** How all statements are run: in bounded time, outside any transaction, over again where a deadlock undid them. */
export function statementRunner (db: Database, timeout: number) {
  const isPool = db.$client !== undefined && 'getConnection' in db.$client

  /**
   * mysql2 has no limit to the wait for a free connection of a pool, nor a way to take a waiting statement back: one that
   * was given up may still run, as it may after a lost connection. It lets nobody in, for nobody hears of it: a try is
   * counted late, a code or a session ended, a user made or verified who then needs a new code.
   */
  const bounded = <T>(work: Promise<T>): Promise<T> => inTime(work, timeout,
    `MySQL gave no answer within ${timeout} ms, the wait for a free connection included`)

  /**
   * SQLSTATE class 40 is the server's word that it rolled back the whole transaction (a deadlock, a cluster's conflict),
   * and the transaction is this one statement: it took no effect and may be repeated. Nothing else may: after a lost
   * connection nobody knows what took effect, and a lock wait that timed out has waited long enough. Under load deadlocks
   * came up between the clean-up and updates that move a row's expiry, and none without a clean-up.
   */
  async function unlessDeadlocked (statement: Statement, retries = DEADLOCK_RETRIES): Promise<MySqlRawQueryResult> {
    try {
      return await statement()
    } catch (error) {
      const undone = (driverError(error) as ServerError).sqlState?.startsWith('40') === true
      if (!undone || retries === 0) throw error
      return await unlessDeadlocked(statement, retries - 1)
    }
  }

  function refuseTransaction ([{ serverStatus }]: MySqlRawQueryResult): void {
    if ((serverStatus & IN_TRANSACTION) !== 0) {
      throw new Error('the connection is inside a transaction (the host\'s, or autocommit is off); give fastify-otp-auth a pool, or a connection of its own')
    }
  }

  return {
    /** Rejects where the write joined a transaction: rolled back later, a lost count would be a free guess. */
    async write (statement: Statement): Promise<WriteResult> {
      const result = await bounded(unlessDeadlocked(statement))
      refuseTransaction(result)
      return { matched: Number(result[0].affectedRows), answer: Number(result[0].insertId) }
    },

    /**
     * A transaction on a single connection reads from a snapshot that may be older than a logout. Results of reads do not
     * show their status, so it is asked for just before; a snapshot taken after that is fresh. A pool needs no question.
     */
    async read<T> (statement: () => Promise<T>): Promise<T> {
      if (!isPool) refuseTransaction(await bounded(db.execute(sql`do 0`)))
      return await bounded(statement())
    }
  }
}
