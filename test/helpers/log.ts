import { Writable } from 'node:stream'

/** Everything that any application of this process logged. */
const lines: string[] = []

export const logStream = new Writable({
  write (chunk, _encoding, done) {
    lines.push(String(chunk))
    done()
  }
})

/** Codes, tokens, cookie values and addresses that went in or out; none of them may be found in the log. */
const secrets = new Set<string>()

export function remember (secret: unknown): void {
  if (typeof secret === 'string' && secret.length >= 6) secrets.add(secret)
}

/** Log lines that match, of all applications of this process. */
export function logged (pattern: RegExp): string[] {
  return lines.filter((line) => pattern.test(line))
}

/** The remembered secrets that the log holds. Digits must stand alone: times and ports are full of six-digit numbers. */
export function leaks (): string[] {
  const log = lines.join('\n')
  return [...secrets].filter((secret) => /^\d+$/.test(secret) ? new RegExp(`(?<![\\d.])${secret}(?!\\d)`).test(log) : log.includes(secret))
}

/** Forgets lines and secrets, for a process that runs the tests of many applications. */
export function forget (): void {
  lines.length = 0
  secrets.clear()
}
