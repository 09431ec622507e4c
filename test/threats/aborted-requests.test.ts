import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../helpers/app.ts'

const BODY = JSON.stringify({ email: 'anna@example.com' })
const HEADERS = { 'content-type': 'application/json' }

/** Starts a server whose `isAllowed` waits for `goOn`. `isAsked` resolves when it runs, `seenGone` when the client has disconnected. */
async function startWaitingServer (t: Test, http2: boolean) {
  let asked: () => void
  let goOn: () => void
  const isAsked = new Promise<void>((resolve) => { asked = resolve })
  const mayGoOn = new Promise<void>((resolve) => { goOn = resolve })
  let gone: Promise<unknown>
  const built = await buildApp(t, {
    fastify: (http2 ? { http2: true } : {}) as object,
    isAllowed: async ({ request }) => {
      gone = once((request.raw as unknown as { stream?: NodeJS.EventEmitter }).stream ?? request.raw.socket, 'close')
      asked()
      await mayGoOn
      return true
    }
  })
  await built.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = built.app.server.address() as AddressInfo
  return { ...built, port, isAsked, seenGone: () => gone, goOn: () => goOn() }
}

async function countEmails ({ app, emails }: Awaited<ReturnType<typeof startWaitingServer>>): Promise<number> {
  for (let turn = 0; turn < 200 && emails.length === 0; turn++) await new Promise((resolve) => { setImmediate(resolve) })
  await app.close()
  return emails.length
}

t.test('HTTP/1.1: if the client disconnects before the response, the email is still sent, once', async (t) => {
  const server = await startWaitingServer(t, false)
  const sent = request({ host: '127.0.0.1', port: server.port, method: 'POST', path: '/auth/request-otp', headers: HEADERS })
  sent.on('error', () => {})
  sent.end(BODY)
  await server.isAsked
  sent.destroy()
  await server.seenGone()
  server.goOn()
  t.equal(await countEmails(server), 1)
})

t.test('HTTP/2: if the client disconnects before the response, the email is still sent, once', async (t) => {
  const server = await startWaitingServer(t, true)
  const session = connect(`http://127.0.0.1:${server.port}`)
  const sent = session.request({ ':method': 'POST', ':path': '/auth/request-otp', ...HEADERS })
  for (const emitter of [session, sent]) emitter.on('error', () => {})
  sent.end(BODY)
  await server.isAsked
  session.destroy()
  await server.seenGone()
  server.goOn()
  t.equal(await countEmails(server), 1)
})
