import { inspect } from 'node:util'
import { isOptionsObject } from '../core/type-checks.ts'
import { MAX_TIMER_DELAY } from '../core/with-timeout.ts'

/**
 * Refuses unknown options. Otherwise a misspelled option, or a promise instead of the options, would be ignored silently.
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
 * @throws RangeError if it is not a number from `shortest` to the longest time that a timer can hold
 */
export function checkedTimeout (timeout: number, shortest = 1): number {
  if (typeof timeout === 'number' && timeout >= shortest && timeout <= MAX_TIMER_DELAY) return timeout
  throw new RangeError(`timeout must be a number of milliseconds from ${shortest} to ${MAX_TIMER_DELAY}. Got ${inspect(timeout)}`)
}
