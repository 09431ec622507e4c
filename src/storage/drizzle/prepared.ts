/** Makes the value at the first call. Statements are prepared then, because the application may run its migrations after our setup. */
export function lazy<T> (make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** One prepared statement for each number of secrets in use. That number is one, or two during a rotation of the secret. */
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
