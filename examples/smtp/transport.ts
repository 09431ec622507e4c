import type { OtpEmail } from 'fastify-otp-auth'
import { createTransport } from 'nodemailer'
import { writeEmail, type Sender } from './email.ts'

/**
 * Sends codes by SMTP, over a pool of open connections.
 *
 * @param url for example `smtps://user:password@smtp.example.com`. With `smtp:`, the connection starts without TLS and is
 * upgraded if the server offers it.
 * @throws TypeError if `url` is not an SMTP URL. The message does not contain the URL, because it may contain a password.
 */
export function createEmailTransport (url: string, sender: Sender & { from: string }) {
  if (!/^smtps?:\/\/./.test(url)) {
    throw new TypeError('Invalid SMTP_URL. Expected a URL such as "smtps://user:password@smtp.example.com".')
  }
  const { from, ...application } = sender
  // Shorter than the plugin's `deliveryTimeout` of 10 s, so that a server that stops responding leaves no open connection.
  const timeouts = 'connectionTimeout=5000&greetingTimeout=5000&socketTimeout=8000'
  const transport = createTransport(`${url}${url.includes('?') ? '&' : '?'}pool=true&${timeouts}`, { from })

  return {
    /** Pass it as the option `sendOtp`. It rejects if the server refuses the email or does not respond. */
    async send (email: OtpEmail): Promise<void> {
      await transport.sendMail(writeEmail(application, email))
    },
    close: () => { transport.close() }
  }
}
