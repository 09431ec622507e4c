import type { OtpEmail } from 'fastify-otp-auth'
import { isIP } from 'node:net'
import { escapeHtml } from '../shared/html.ts'

/** Your application, as the email names it. */
export interface Sender {
  app: string
  /** The only website where users should enter their codes. */
  site: string
}

/** The fields of an email that nodemailer needs. */
export interface EmailContent {
  to: string
  subject: string
  text: string
  html: string
}

/**
 * Writes the email with the code.
 *
 * - The code is in the subject, so that users can read it in a notification.
 * - There is no link, because a link would teach users to click links in emails.
 * - It says where to enter the code and where the request came from. Against a phishing page that passes codes on,
 *   an emailed code can do no more than that.
 */
export function writeEmail (
  { app, site }: Sender,
  { email, code, expiresAt, request }: Pick<OtpEmail, 'email' | 'code' | 'expiresAt' | 'request'>
): EmailContent {
  const requestedFrom = `${ipOf(request.ip)}, ${browserOf(request.headers['user-agent'])}`
  const endTime = expiresAt.toLocaleTimeString('en-GB', { timeStyle: 'short', timeZone: 'UTC' })
  const lines = [
    `Your code for ${app}: ${code}`,
    `Enter it only on ${site}. You can use it once, until ${endTime} UTC.`,
    `The code was requested from ${requestedFrom}. If that was not you, someone entered your email address: ignore this email. ` +
      'Do not share the code with anyone. We will never ask you for it.'
  ]
  return {
    to: email,
    subject: `${code} is your code for ${app}`,
    text: `${lines.join('\n\n')}\n`,
    html: htmlPage(app, code, lines.slice(1))
  }
}

const htmlPage = (app: string, code: string, lines: readonly string[]) => `<!doctype html>
<html lang="en">
<body style="font-family: system-ui, sans-serif; max-width: 32em; margin: 2em auto; padding: 0 1em">
  <p>Your code for ${escapeHtml(app)}:</p>
  <p style="font: 2em ui-monospace, monospace; letter-spacing: 0.1em">${escapeHtml(code)}</p>
  ${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n  ')}
</body>
</html>
`

/** With `trustProxy: true`, `request.ip` can be any text that the client sends. An email in your name must not contain it. */
const ipOf = (ip: string) => isIP(ip) === 0 ? 'an unknown IP address' : ip

/** The name of the browser, from a fixed list. The header itself is text from the client, so the email must not contain it. */
function browserOf (userAgent = ''): string {
  const [name] = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'].filter((known) => userAgent.includes(`${known}/`))
  return name === undefined ? 'an unknown browser' : { Edg: 'Edge', OPR: 'Opera' }[name] ?? name
}
