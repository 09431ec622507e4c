import { DAY, SECOND, parseDuration } from '../core/duration.ts'
import { isFunction, isOptionsObject } from '../core/type-checks.ts'
import { invalidOption } from '../errors.ts'
import type { RouteOptions } from './types.ts'

export type OptionReader = ReturnType<typeof optionReader>

/**
 * Reads and checks options one by one. Errors contain the name of the option. `refuseUnknown` throws if an option was given
 * that was never read.
 */
export function optionReader (given: Record<string, unknown>, path: string) {
  const known = new Set<string>()

  function fail (name: string, expected: string): never {
    throw invalidOption(`${path}${name} must be ${expected}. Got ${typeOf(given[name])}`)
  }

  function optional (name: string, isValid: (value: unknown) => boolean, expected: string): unknown {
    known.add(name)
    const value = given[name]
    if (value !== undefined && !isValid(value)) fail(name, expected)
    return value
  }

  return {
    /** For an option that the caller reads and checks itself. */
    markKnown: (name: string) => known.add(name),
    optional,

    required (name: string, isValid: (value: unknown) => boolean, expected: string): unknown {
      return optional(name, isValid, expected) ?? fail(name, expected)
    },

    optionalFunction: <T>(name: string) => optional(name, isFunction, 'a function') as T | undefined,

    boolean: (name: string, defaultValue: boolean) =>
      (optional(name, (value) => typeof value === 'boolean', 'true or false') ?? defaultValue) as boolean,

    integer (name: string, defaultValue: number, { min, max = 1_000_000 }: { min: number, max?: number }): number {
      const isValid = (value: unknown) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      return (optional(name, isValid, `a whole number from ${min} to ${max}`) ?? defaultValue) as number
    },

    duration (name: string, defaultValue: number, bounds: Bounds): number {
      const { isValid, expected } = durationWithin(bounds)
      const value = optional(name, isValid, expected)
      return value === undefined ? defaultValue : parseDuration(value)!
    },

    /** @returns `null` if the option is `false` */
    durationOrFalse (name: string, defaultValue: number, bounds: Bounds): number | null {
      const { isValid, expected } = durationWithin(bounds)
      const value = optional(name, (value) => value === false || isValid(value), `${expected}, or false`)
      if (value === false) return null
      return value === undefined ? defaultValue : parseDuration(value)!
    },

    oneOf<T extends string> (name: string, defaultValue: T, values: readonly T[]): T {
      const expected = values.map((value) => `"${value}"`).join(' or ')
      return (optional(name, (value) => values.includes(value as T), expected) ?? defaultValue) as T
    },

    matching: (name: string, defaultValue: string, pattern: RegExp, expected: string) =>
      (optional(name, (value) => typeof value === 'string' && pattern.test(value), expected) ?? defaultValue) as string,

    optionalText: (name: string, pattern = /./, expected = 'a non-empty string') =>
      optional(name, (value) => typeof value === 'string' && pattern.test(value), expected) as string | undefined,

    object: (name: string) => (optional(name, isOptionsObject, 'an object') ?? {}) as Record<string, unknown>,

    /** @returns `null` if the option is `false` */
    objectOrFalse (name: string): Record<string, unknown> | null {
      const value = optional(name, (value) => value === false || isOptionsObject(value), 'an object or false') ?? {}
      return value === false ? null : value as Record<string, unknown>
    },

    origins (name: string): readonly string[] {
      // Origins are compared as whole strings. A pattern would never match, and nobody would notice.
      const isOrigin = (value: unknown) =>
        typeof value === 'string' && !value.includes('*') && URL.canParse(value) && new URL(value).origin === value
      const expected = 'an array of origins such as "https://app.example", with no path and no slash at the end'
      return (optional(name, (value) => Array.isArray(value) && Array.from(value).every(isOrigin), expected) ?? []) as string[]
    },

    routeOptions (name: string) {
      const route = optionReader(this.object(name), `${path}${name}.`)
      const isHookOrHooks = (value: unknown) => isFunction(value) || (Array.isArray(value) && Array.from(value).every(isFunction))
      const options = Object.freeze({
        onRequest: route.optional('onRequest', isHookOrHooks, 'a function or an array of functions'),
        preHandler: route.optional('preHandler', isHookOrHooks, 'a function or an array of functions'),
        config: route.object('config')
      })
      route.refuseUnknown()
      return options as RouteOptions
    },

    refuseUnknown (): void {
      for (const name of Object.keys(given)) {
        if (!known.has(name)) {
          throw invalidOption(`Unknown option "${path}${name}". Expected one of ${[...known].join(', ')}`)
        }
      }
    }
  }
}

/** Milliseconds. */
interface Bounds {
  min: number
  max?: number
}

function durationWithin ({ min, max = 3650 * DAY }: Bounds) {
  return {
    expected: `a number of seconds, or a string such as "15m", from ${min / SECOND} to ${max / SECOND} seconds`,
    isValid (value: unknown): boolean {
      const length = parseDuration(value)
      return length !== undefined && length >= min && length <= max
    }
  }
}

/** Names the type of a value, never its content, which may be a secret. */
function typeOf (value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
