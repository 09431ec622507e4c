import { Writable } from 'node:stream'

/** Everything that any application of this process logged. */
export const lines: string[] = []

export const logStream = new Writable({
  write (chunk, _encoding, done) {
    lines.push(String(chunk))
    done()
  }
})

/** Secrets that went out and must not be found in the log. */
export const secrets = new Set<string>()

export function remember (secret: string): void {
  if (secret.length >= 6) secrets.add(secret)
}
