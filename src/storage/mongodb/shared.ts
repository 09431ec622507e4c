import { withTimeout } from '../../core/with-timeout.ts'
import { checkedTimeout } from '../adapter-options.ts'

/** What every command of a verb is given, so that it ends with the verb. */
export interface Limits {
  /** The server's own limit for one command, shorter than ours: a command that it ends costs no connection. */
  maxTimeMS: number
  /** Takes back a command that is not on its way yet, in drivers that know it. */
  signal: AbortSignal
}

/**
 * Runs a verb with a deadline. The driver would wait 30 s for a server that is gone, for ever for one that hangs, and its
 * `timeoutMS` has no effect in every version. What was sent already may still happen after the rejection, as with any
 * connection that breaks.
 */
export type Bounded = <T>(run: (limits: Limits) => Promise<T>) => Promise<T>

/** At 1 ms the server's own limit would be 0, which is none; below this it means little. */
const SHORTEST_TIMEOUT = 10

/**
 * @param timeout milliseconds that a verb may take: then it rejects, whatever state the server, the network or the pool is in
 * @throws RangeError for one that is no number from 10 to 2147483647
 */
export function boundedBy (timeout: number): Bounded {
  const maxTimeMS = Math.floor(checkedTimeout(timeout, SHORTEST_TIMEOUT) * 0.8)

  return async (run) => {
    const controller = new AbortController()
    try {
      // Raced beside the signal, because older drivers ignore it.
      return await withTimeout(run({ maxTimeMS, signal: controller.signal }), timeout, `MongoDB gave no answer within ${timeout} ms`)
    } catch (error) {
      controller.abort(error)
      throw error
    }
  }
}

/**
 * The code of a server's refusal, NaN where there is none. Classes are not compared: the host's driver may be another copy
 * than ours; and with some settings of the client the code is an object.
 */
export function errorCode (error: unknown): number {
  return Number((error as { code?: unknown }).code)
}

export const duplicateKey = 11000

/** Inserts, unless a document with that key exists. @returns whether it inserted. */
export async function insertIfAbsent (insert: () => Promise<unknown>): Promise<boolean> {
  try {
    await insert()
    return true
  } catch (error) {
    if (errorCode(error) === duplicateKey) return false
    throw error
  }
}

export function dateOrNull (milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(milliseconds)
}

export function millisecondsOrNull (date: Date | null): number | null {
  return date === null ? null : date.getTime()
}
