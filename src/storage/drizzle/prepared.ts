import type { Statement } from './dialect.ts'

/** Prepares a statement at its first call, and once. Before that call, the application may still have to run its migrations. */
export function prepareOnce<Prepared, Result> (
  prepare: () => Prepared,
  run: (prepared: Prepared, values: object) => Promise<Result>
): Statement<Result> {
  let prepared: Prepared | undefined
  return (values) => {
    prepared ??= prepare()
    return run(prepared, values)
  }
}

/** One prepared statement for each number of secrets in use. That number is one, or two during a rotation of the secret. */
export function preparedByCount<T> (prepare: (count: number) => T): (count: number) => T {
  const prepared = new Map<number, T>()
  return (count) => {
    if (!prepared.has(count)) prepared.set(count, prepare(count))
    return prepared.get(count)!
  }
}
