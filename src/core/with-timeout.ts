/** The longest delay of Node's timers in milliseconds, about 24.8 days. A longer one would fire at once. */
export const MAX_TIMER_DELAY = 2 ** 31 - 1

/**
 * Settles as `work` does, or rejects with `message` after `timeout` milliseconds. The work itself continues. If it settles
 * later, its result or error is ignored.
 */
export async function withTimeout<T> (work: PromiseLike<T>, timeout: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new Error(message)), timeout) })
  try {
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
  }
}
