import type { OtpEmail } from 'fastify-otp-auth'
import { isIP } from 'node:net'
import { escapeHtml } from '../shared/html.ts'

/** The application that the mail speaks for, and the one place where its codes may be typed. */
export interface Sender {
  app: string
  site: string
}

/** One mail, as nodemailer takes it. */
export interface Letter {
  to: string
  subject: string
  text: string
  html: string
}

/**
 * The mail with a code. The code is in the subject, to be read from a notification; there is no link, which would teach
 * people to click on links in mails. Against a page that passes codes on, the mail names where the code belongs and where
 * it was asked for: no code by mail can do more.
 */
export function writeMail ({ app, site }: Sender, { email, code, expiresAt, request }: Pick<OtpEmail, 'email' | 'code' | 'expiresAt' | 'request'>): Letter {
  const from = `${placeOf(request.ip)}, ${browserOf(request.headers['user-agent'])}`
  const until = expiresAt.toLocaleTimeString('en-GB', { timeStyle: 'short', timeZone: 'UTC' })
  const lines = [
    `Your code for ${app}: ${code}`,
    `Type it only on ${site}. It works once, until ${until} UTC.`,
    `It was asked for from ${from}. If that was not you, somebody typed your address: do nothing, and give the code to nobody, also not to us.`
  ]
  return {
    to: email,
    subject: `${code} is your code for ${app}`,
    text: `${lines.join('\n\n')}\n`,
    html: page(app, code, lines.slice(1))
  }
}

const page = (app: string, code: string, lines: readonly string[]) => `<!doctype html>
<html lang="en">
<body style="font-family: system-ui, sans-serif; max-width: 32em; margin: 2em auto; padding: 0 1em">
  <p>Your code for ${escapeHtml(app)}:</p>
  <p style="font: 2em ui-monospace, monospace; letter-spacing: 0.1em">${escapeHtml(code)}</p>
  ${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n  ')}
</body>
</html>
`

/** With `trustProxy: true` it may be any text that a stranger sent: a mail with our name on it must not carry that. */
const placeOf = (ip: string) => isIP(ip) === 0 ? 'an unknown address' : ip

/** Which browser, in a word: the header is a stranger's text, and nothing of it goes into the mail. */
function browserOf (agent = ''): string {
  const [name] = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'].filter((known) => agent.includes(`${known}/`))
  return name === undefined ? 'no browser that we know' : { Edg: 'Edge', OPR: 'Opera' }[name] ?? name
}
