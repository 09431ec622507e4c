import { withTimeout } from '../../core/with-timeout.ts'
import { checkedTimeout } from '../adapter-options.ts'

/** Options that every command of a verb gets, so that the command ends with the verb. */
export interface Deadline {
  /**
   * The server's own time limit for one command. It is shorter than the timeout of the verb, because a command that the server
   * ends does not cost a connection.
   */
  maxTimeMS: number
  /** Cancels a command that has not been sent yet. Older drivers ignore it. */
  signal: AbortSignal
}

/**
 * Runs the commands of one verb and rejects after the timeout. A command that was sent before may still take effect, as it may
 * when a connection breaks.
 */
export type WithDeadline = <T>(run: (deadline: Deadline) => Promise<T>) => Promise<T>

/** A timeout of 1 ms would give the server a limit of 0, which means no limit. Timeouts below 10 ms are too short to be useful. */
const SHORTEST_TIMEOUT = 10

/**
 * The driver alone is not enough: by default it waits 30 seconds for a missing server and forever for one that hangs, and its
 * option `timeoutMS` does not work in every version.
 *
 * @param timeout milliseconds after which a verb rejects, whatever the state of the server, the network or the connection pool
 * @throws RangeError if the timeout is not a number from 10 to 2147483647
 */
export function deadlineRunner (timeout: number): WithDeadline {
  const maxTimeMS = Math.floor(checkedTimeout(timeout, SHORTEST_TIMEOUT) * 0.8)

  return async (run) => {
    const controller = new AbortController()
    try {
      return await withTimeout(run({ maxTimeMS, signal: controller.signal }), timeout, `MongoDB did not respond within ${timeout} ms`)
    } catch (error) {
      controller.abort(error)
      throw error
    }
  }
}
