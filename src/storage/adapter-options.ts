import { inspect } from 'node:util'

/** In milliseconds: what Node's timers hold. A longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** @throws TypeError for a name that is no option: what was meant by it would silently not hold */
export function refuseUnknown (options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`${unknown} is no option of the storage; expected one of ${known.join(', ')}`)
}

/**
 * The `timeout` of an adapter, in milliseconds.
 *
 * @throws RangeError for one that no timer can keep
 */
export function checkedTimeout (timeout: number, shortest = 1): number {
  if (typeof timeout === 'number' && timeout >= shortest && timeout <= LONGEST_TIMER) return timeout
  throw new RangeError(`timeout must be a number of milliseconds from ${shortest} to ${LONGEST_TIMER}; got ${inspect(timeout)}`)
}

/**
 * What the work comes to, or an error that says `late` after so many milliseconds. The work goes on after that, and how it
 * ends is told to nobody.
 */
export async function inTime<T> (work: PromiseLike<T>, timeout: number, late: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new Error(late)), timeout) })
  try {
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
  }
}
