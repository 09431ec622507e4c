export function isFunction (value: unknown): boolean {
  return typeof value === 'function'
}

/** Whether a value is an object with properties, not `null` and not an array. */
export function isObject (value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Whether a value can hold options. A promise, a Map or a Date has none of our option names, so every default would apply
 * and nobody would notice the mistake.
 */
export function isOptionsObject (value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Object]'
}
