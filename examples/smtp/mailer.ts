import type { OtpEmail } from 'fastify-otp-auth'
import { createTransport } from 'nodemailer'
import { writeMail, type Sender } from './mail.ts'

/**
 * Sends codes by SMTP, over a pool of connections that are kept.
 *
 * @param url e.g. `smtps://user:password@smtp.example.com`; without TLS from the start (`smtp:`) the connection is upgraded
 * where the server offers it
 * @throws TypeError for another address, which it does not quote: it may hold a password
 */
export function createMailer (url: string, sender: Sender & { from: string }) {
  if (!/^smtps?:\/\/./.test(url)) throw new TypeError('SMTP_URL must be an address such as "smtps://user:password@smtp.example.com"')
  const { from, ...application } = sender
  // Shorter than the plugin's `deliveryTimeout` of 10 s, so that a server that falls silent leaves no connection behind.
  const timeouts = 'connectionTimeout=5000&greetingTimeout=5000&socketTimeout=8000'
  const transport = createTransport(`${url}${url.includes('?') ? '&' : '?'}pool=true&${timeouts}`, { from })

  return {
    /** Goes in as `sendOtp`. Rejects where the server refuses the mail or does not answer. */
    async send (mail: OtpEmail): Promise<void> {
      await transport.sendMail(writeMail(application, mail))
    },
    close: () => { transport.close() }
  }
}
