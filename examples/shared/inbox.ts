import type { FastifyInstance } from 'fastify'
import { escapeHtml } from './html.ts'

/** A mail as the development inbox keeps it. */
export interface Mail {
  to: string
  subject: string
  code: string
  text: string
  sentAt: string
}

const KEPT = 50

/**
 * Stands in for a mail server while you develop: keeps the last mails in memory and shows them to whoever asks.
 * Nothing like it belongs into production.
 */
export function createInbox () {
  const mails: Mail[] = []

  return {
    /** Goes where your application would call its mailer: `sendOtp: inbox.deliver`. */
    async deliver ({ email, code, expiresAt }: { email: string, code: string, expiresAt: Date | number }) {
      const end = new Date(expiresAt).toLocaleTimeString('en-GB', { timeStyle: 'short' })
      mails.unshift({
        to: email,
        subject: 'Your sign-in code',
        code,
        text: `Your code is ${code}. It works once and until ${end}. If you did not ask for it, ignore this mail.`,
        sentAt: new Date().toISOString()
      })
      mails.length = Math.min(mails.length, KEPT)
    },

    /** `GET /inbox` for people, `GET /inbox/mails` for programs; both newest first. */
    async routes (app: FastifyInstance) {
      app.addHook('onSend', async (_request, reply) => { reply.header('cache-control', 'no-store') })
      app.get('/inbox/mails', async () => mails)
      app.get('/inbox', async (_request, reply) => reply.type('text/html; charset=utf-8').send(inboxPage(mails)))
    }
  }
}

const inboxPage = (mails: Mail[]) => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Development inbox</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/page.css">
</head>
<body>
  <main class="inbox">
    <h1>Development inbox</h1>
    <p class="hint">Mails that the example would have sent, the newest first. They are kept in memory and reach nobody.</p>
    <p><a href="/inbox">Look for new mail</a></p>
    ${mails.length === 0 ? '<p>No mail yet.</p>' : `<ol class="mails">${mails.map(mailItem).join('')}</ol>`}
  </main>
</body>
</html>`

const mailItem = ({ to, subject, code, text, sentAt }: Mail) => `
      <li>
        <h2>${escapeHtml(subject)}</h2>
        <p class="hint">To ${escapeHtml(to)}, <time datetime="${sentAt}">${new Date(sentAt).toLocaleTimeString('en-GB')}</time></p>
        <p class="sent-code"><code>${escapeHtml(code)}</code></p>
        <p>${escapeHtml(text)}</p>
      </li>`
