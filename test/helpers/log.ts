import { Writable } from 'node:stream'

/** Every line that an application of this process logged. */
const lines: string[] = []

export const logStream = new Writable({
  write (chunk, _encoding, done) {
    lines.push(String(chunk))
    done()
  }
})

/** Codes, tokens, cookie values and emails that were received or sent. The log must contain none of them. */
const secrets = new Set<string>()

export function remember (secret: unknown): void {
  if (typeof secret === 'string' && secret.length >= 6) secrets.add(secret)
}

/** The log lines of all applications of this process that match. */
export function logged (pattern: RegExp): string[] {
  return lines.filter((line) => pattern.test(line))
}

/** The secrets that the log contains. Numbers must stand alone, because times and ports often contain six-digit numbers. */
export function leaks (): string[] {
  const log = lines.join('\n')
  return [...secrets].filter((secret) => /^\d+$/.test(secret) ? new RegExp(`(?<![\\d.])${secret}(?!\\d)`).test(log) : log.includes(secret))
}

/** Forgets all lines and secrets. It is for a process that runs the tests of many applications. */
export function forget (): void {
  lines.length = 0
  secrets.clear()
}
