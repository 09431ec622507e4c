import { Writable } from 'node:stream'

/** Emails, tokens, cookies and IDs are whole words. Codes can also be part of a word. */
const WORDS = /[\w+@-][\w.+@-]*[\w+@-]/g
const NUMBERS = /(?<![\d.])\d{6,}(?!\d)/g

/**
 * The secrets of a run, and the log, which must contain none of them. There are tens of thousands of secrets, so the log is
 * split into words once. `helpers/log.ts` searches the whole log for each secret.
 */
export function createSecrets () {
  const secrets = new Set<string>()
  /** Each word, with the first line that contains it. */
  const logged = new Map<string, string>()
  const log = new Writable({
    write (chunk, _encoding, done) {
      const text = String(chunk)
      for (const pattern of [WORDS, NUMBERS]) {
        for (const [word] of text.matchAll(pattern)) if (!logged.has(word)) logged.set(word, text)
      }
      done()
    }
  })
  return {
    log,
    remember (secret: string | undefined): void {
      if (secret !== undefined && secret.length >= 6) secrets.add(secret)
    },
    /** The lines that contain a secret. */
    leaks: (): string[] => [...secrets].flatMap((secret) => logged.get(secret) ?? [])
  }
}
