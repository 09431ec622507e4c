import type { FastifyInstance } from 'fastify'
import { escapeHtml } from './html.ts'

/** An email in the development inbox. */
export interface Email {
  to: string
  subject: string
  code: string
  text: string
  sentAt: string
}

const MAX_EMAILS = 50

/**
 * Replaces an email provider during development: it holds the last emails in memory and shows them to every visitor.
 * Never use it in production.
 */
export function createInbox () {
  const emails: Email[] = []

  return {
    /** Pass it as the option `sendOtp`. Your application would call its email provider instead. */
    async deliver ({ email, code, expiresAt }: { email: string, code: string, expiresAt: Date | number }) {
      const endTime = new Date(expiresAt).toLocaleTimeString('en-GB', { timeStyle: 'short' })
      emails.unshift({
        to: email,
        subject: 'Your sign-in code',
        code,
        text: `Your code is ${code}. You can use it once, until ${endTime}. If you did not request it, ignore this email.`,
        sentAt: new Date().toISOString()
      })
      emails.length = Math.min(emails.length, MAX_EMAILS)
    },

    /** `GET /inbox` for people and `GET /inbox/emails` for programs. Both list the newest email first. */
    async routes (app: FastifyInstance) {
      app.addHook('onSend', async (_request, reply) => { reply.header('cache-control', 'no-store') })
      app.get('/inbox/emails', async () => emails)
      app.get('/inbox', async (_request, reply) => reply.type('text/html; charset=utf-8').send(inboxPage(emails)))
    }
  }
}

const inboxPage = (emails: Email[]) => `<!doctype html>
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
    <p class="hint">These are the emails of the example, newest first. They are held in memory and are not delivered.</p>
    <p><a href="/inbox">Check for new emails</a></p>
    ${emails.length === 0 ? '<p>No emails yet.</p>' : `<ol class="emails">${emails.map(emailItem).join('')}</ol>`}
  </main>
</body>
</html>`

const emailItem = ({ to, subject, code, text, sentAt }: Email) => `
      <li>
        <h2>${escapeHtml(subject)}</h2>
        <p class="hint">To ${escapeHtml(to)}, <time datetime="${sentAt}">${new Date(sentAt).toLocaleTimeString('en-GB')}</time></p>
        <p class="sent-code"><code>${escapeHtml(code)}</code></p>
        <p>${escapeHtml(text)}</p>
      </li>`
