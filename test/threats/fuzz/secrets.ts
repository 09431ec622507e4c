import { Writable } from 'node:stream'

/** Addresses, tokens, cookies and ids stand as one word, whatever is around them; codes also within one. */
const WORDS = /[\w+@-][\w.+@-]*[\w+@-]/g
const NUMBERS = /(?<![\d.])\d{6,}(?!\d)/g

/**
 * The secrets of a run, and the log in which none of them may stand. There are ten thousands of them: the log is read
 * once, by words, where `helpers/log.ts` searches it anew for each.
 */
export function createSecrets () {
  const secrets = new Set<string>()
  /** Each word with the line in which it came first. */
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
    /** The lines that hold a secret. */
    leaks: (): string[] => [...secrets].flatMap((secret) => logged.get(secret) ?? [])
  }
}
