import { DAY, HOUR } from '../core/duration.ts'
import type { CounterWindow } from '../storage/contract.ts'

export const perHour = (limit: number): CounterWindow => ({ length: HOUR, limit })
export const perDay = (limit: number): CounterWindow => ({ length: DAY, limit })

/** A window that limits nothing, for a counter that needs only one of its two windows. */
export const unlimited: CounterWindow = perDay(Number.MAX_SAFE_INTEGER)
