import { inspect } from 'node:util'
import { LONGEST_TIMER } from '../core/in-time.ts'
import { isOptionsObject } from '../option-reader.ts'

/**
 * Refuses unknown options. Otherwise a misspelled option, or a promise instead of the options, would be ignored silently.
 *
 * @throws TypeError
 */
export function refuseUnknownNames<Options extends object> (options: Options, known: ReadonlyArray<keyof Options & string>): void {
  if (!isOptionsObject(options)) {
    throw new TypeError(`the options of the storage must be an object; got ${inspect(options, { depth: 0 })}`)
  }
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name))
  if (unknown !== undefined) throw new TypeError(`${unknown} is no option of the storage; expected one of ${known.join(', ')}`)
}

/**
 * The `timeout` of an adapter, in milliseconds.
 *
 * @throws RangeError if it is not a number from `shortest` to the longest time that a timer can hold
 */
export function checkedTimeout (timeout: number, shortest = 1): number {
  if (typeof timeout === 'number' && timeout >= shortest && timeout <= LONGEST_TIMER) return timeout
  throw new RangeError(`timeout must be a number of milliseconds from ${shortest} to ${LONGEST_TIMER}; got ${inspect(timeout)}`)
}
