import { DAY, SECOND, parseDuration } from '../core/duration.ts'
import { isFunction, isOptionsObject } from '../core/type-checks.ts'
import { InvalidOption } from '../errors.ts'
import type { RouteOptions } from './types.ts'

export type OptionReader = ReturnType<typeof optionReader>

/** Reads options one by one, remembers their names, and names the option that is wrong. */
export function optionReader (given: Record<string, unknown>, path: string) {
  const known = new Set<string>()

  function fail (name: string, expected: string): never {
    throw new InvalidOption(`${path}${name} must be ${expected}. Got ${typeOf(given[name])}`)
  }

  function optional (name: string, isRight: (value: unknown) => boolean, expected: string): unknown {
    known.add(name)
    const value = given[name]
    if (value !== undefined && !isRight(value)) fail(name, expected)
    return value
  }

  return {
    /** For an option that the caller reads and checks itself. */
    markKnown: (name: string) => known.add(name),
    optional,

    required (name: string, isRight: (value: unknown) => boolean, expected: string): unknown {
      return optional(name, isRight, expected) ?? fail(name, expected)
    },

    optionalFunction: <T>(name: string) => optional(name, isFunction, 'a function') as T | undefined,

    boolean: (name: string, byDefault: boolean) =>
      (optional(name, (value) => typeof value === 'boolean', 'true or false') ?? byDefault) as boolean,

    integer (name: string, byDefault: number, { min, max = 1_000_000 }: { min: number, max?: number }): number {
      const isRight = (value: unknown) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      return (optional(name, isRight, `a whole number from ${min} to ${max}`) ?? byDefault) as number
    },

    duration (name: string, byDefault: number, bounds: Bounds): number {
      const { isRight, expected } = durationWithin(bounds)
      const value = optional(name, isRight, expected)
      return value === undefined ? byDefault : parseDuration(value)!
    },

    /** @returns `null` if the option is `false` */
    durationOrFalse (name: string, byDefault: number, bounds: Bounds): number | null {
      const { isRight, expected } = durationWithin(bounds)
      const value = optional(name, (value) => value === false || isRight(value), `${expected}, or false`)
      if (value === false) return null
      return value === undefined ? byDefault : parseDuration(value)!
    },

    oneOf<T extends string> (name: string, byDefault: T, values: readonly T[]): T {
      const expected = values.map((value) => `"${value}"`).join(' or ')
      return (optional(name, (value) => values.includes(value as T), expected) ?? byDefault) as T
    },

    matching: (name: string, byDefault: string, pattern: RegExp, expected: string) =>
      (optional(name, (value) => typeof value === 'string' && pattern.test(value), expected) ?? byDefault) as string,

    optionalText: (name: string, pattern = /./, expected = 'a string that is not empty') =>
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
      const hooks = (value: unknown) => isFunction(value) || (Array.isArray(value) && Array.from(value).every(isFunction))
      const options = Object.freeze({
        onRequest: route.optional('onRequest', hooks, 'a function or an array of functions'),
        preHandler: route.optional('preHandler', hooks, 'a function or an array of functions'),
        config: route.object('config')
      })
      route.refuseUnknown()
      return options as RouteOptions
    },

    refuseUnknown (): void {
      for (const name of Object.keys(given)) {
        if (!known.has(name)) {
          throw new InvalidOption(`Unknown option "${path}${name}". Expected one of ${[...known].join(', ')}`)
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
    isRight (value: unknown): boolean {
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
