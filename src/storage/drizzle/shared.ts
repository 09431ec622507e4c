import { randomUUID } from 'node:crypto'
import { Column, is } from 'drizzle-orm'

/** Makes its value at the first call: statements are prepared after the host ran its migrations, not before. */
export function lazy<T> (make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** One prepared statement for each number of secrets in use, which is one, or two while a rotation lasts. */
export function preparedByCount<T> (prepare: (count: number) => T): (count: number) => T {
  const prepared = new Map<number, T>()
  return (count) => {
    const known = prepared.get(count)
    if (known !== undefined) return known
    const made = prepare(count)
    prepared.set(count, made)
    return made
  }
}

/** The named values `mac0`, `mac1`, … of a statement that compares several MACs. */
export function macValues (macs: readonly string[]): Record<string, string> {
  return Object.fromEntries(macs.map((mac, position) => [`mac${position}`, mac]))
}

/** The error that the driver threw, below whatever Drizzle wrapped round it. */
export function driverError (error: unknown): Error & { code?: unknown } {
  let innermost = error as Error
  while (innermost.cause instanceof Error) innermost = innermost.cause
  return innermost
}

/**
 * Turns the text of a token's `sub` into the type of the host's id column.
 *
 * @returns `undefined` where the text cannot be an id of that type: then no row has it.
 */
export function parseId (column: Column, text: string): unknown {
  if (column.dataType === 'number') return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined
  if (column.dataType === 'bigint') return /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined
  return text
}

/** Random text for a text id that neither the database, nor the table's definition, nor the host fills. */
export function missingId (column: Column, fields: Record<string, unknown>): Record<string, unknown> {
  return column.dataType === 'string' && !column.hasDefault && fields['id'] === undefined ? { id: randomUUID() } : {}
}

/**
 * The users table to work on. Types say what it needs; this says it to those who write JavaScript, at boot.
 *
 * @throws TypeError which names the column that is missing
 */
export function usersTable<Default extends object> (given: object | undefined, byDefault: Default): Default {
  const table = given ?? byDefault
  for (const column of ['id', 'email', 'isVerified']) {
    if (!is((table as Record<string, unknown>)[column], Column)) {
      throw new TypeError(`the users table lacks the column "${column}": declare it under this property name; its name in the database may be another`)
    }
  }
  return table as Default
}
