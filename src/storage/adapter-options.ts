import { inspect } from 'node:util'
import { isOptionsObject } from '../core/type-checks.ts'
import { MAX_TIMER_DELAY } from '../core/with-timeout.ts'

/**
 * Refuses misspelled options and anything that is not an options object, such as a promise. Both would be ignored silently.
 *
 * @throws TypeError
 */
export function refuseUnknownNames<Options extends object> (options: Options, known: ReadonlyArray<keyof Options & string>): void {
  if (!isOptionsObject(options)) {
    throw new TypeError(`The storage options must be an object. Got ${inspect(options, { depth: 0 })}`)
  }
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name))
  if (unknown !== undefined) throw new TypeError(`Unknown storage option "${unknown}". Expected one of ${known.join(', ')}`)
}

/**
 * Checks the option `timeout` of an adapter.
 *
 * @returns the timeout in milliseconds
 * @throws RangeError unless it is a number from `shortest` to the longest delay of a timer
 */
export function checkedTimeout (timeout: number, shortest = 1): number {
  if (typeof timeout === 'number' && timeout >= shortest && timeout <= MAX_TIMER_DELAY) return timeout
  throw new RangeError(`timeout must be a number of milliseconds from ${shortest} to ${MAX_TIMER_DELAY}. Got ${inspect(timeout)}`)
}
