/** In milliseconds: what Node's timers hold. A longer one would fire at once. */
export const LONGEST_TIMER = 2 ** 31 - 1

/**
 * Resolves as the work does, or rejects with the message after so many milliseconds. The work itself goes on; its late
 * result or error is dropped.
 */
export async function inTime<T> (work: PromiseLike<T>, timeout: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new Error(message)), timeout) })
  try {
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
  }
}
