/** A call of setInterval. */
export interface Made {
  callback: () => Promise<void>
  /** In milliseconds. */
  delay: number
  timer: NodeJS.Timeout
}

/** Notes down the calls of setInterval and clearInterval while `run` runs. */
export async function withTimers (run: (timers: { made: Made[], cleared: unknown[] }) => Promise<void>) {
  const { setInterval, clearInterval } = globalThis
  const made: Made[] = []
  const cleared: unknown[] = []
  globalThis.setInterval = ((callback: () => Promise<void>, delay: number) => {
    const timer = setInterval(callback, delay)
    made.push({ callback, delay, timer })
    return timer
  }) as typeof setInterval
  globalThis.clearInterval = ((timer: NodeJS.Timeout) => {
    cleared.push(timer)
    clearInterval(timer)
  }) as typeof clearInterval
  try {
    await run({ made, cleared })
  } finally {
    Object.assign(globalThis, { setInterval, clearInterval })
  }
}
