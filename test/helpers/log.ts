import { Writable } from 'node:stream'

/** The log lines of all applications since the last {@link forget}. */
const lines: string[] = []

export const logStream = new Writable({
  write (chunk, _encoding, done) {
    lines.push(String(chunk))
    done()
  }
})

/** Codes, tokens, cookie values and emails that were received or sent. The log must contain none of them. */
const secrets = new Set<string>()

let openApplications = 0

export function remember (secret: unknown): void {
  if (typeof secret === 'string' && secret.length >= 6) secrets.add(secret)
}

/** The log lines that match, of all applications since the last {@link forget}. */
export function logged (pattern: RegExp): string[] {
  return lines.filter((line) => pattern.test(line))
}

/** The secrets that the log contains. Numbers must stand alone, because times and ports often contain six-digit numbers. */
function leaks (): string[] {
  const log = lines.join('\n')
  return [...secrets].filter((secret) => /^\d+$/.test(secret) ? new RegExp(`(?<![\\d.])${secret}(?!\\d)`).test(log) : log.includes(secret))
}

/** Call it when an application opens, and {@link checkLog} when it has closed. */
export function openLog (): void {
  openApplications++
}

/**
 * Searches the whole log for every secret. The last application that closes makes us forget lines and secrets, because
 * searching those of all earlier tests again would take longer with every test. Until then nothing is forgotten.
 *
 * @throws if the log contains a secret
 */
export function checkLog (): void {
  const leaked = leaks()
  openApplications--
  if (openApplications === 0) forget()
  if (leaked.length > 0) throw new Error(`the log contains secrets: ${leaked.join(' ')}`)
}

/** Forgets lines and secrets. */
export function forget (): void {
  lines.length = 0
  secrets.clear()
}
