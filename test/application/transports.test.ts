import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp, type TestApp } from '../helpers/app.ts'
import { skipWithout } from '../helpers/requirements.ts'

const EMAIL = 'anna@example.com'

/** A key and a self-signed certificate for this machine. */
function certificate (t: Test): { key: Buffer, cert: Buffer } {
  const folder = t.testdir()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

interface Reply {
  status: number
  body: any
  cookies: string[]
}

type Send = (method: string, path: string, headers: Record<string, string>, body?: string) => Promise<Reply>

/** Logs in as a page of this site does, refreshes and requests a guarded route. */
async function logIn (t: Test, { codeFor }: TestApp, origin: string, send: Send): Promise<void> {
  const page = { origin, 'content-type': 'application/json' }
  const requested = await send('POST', '/auth/request-otp', page, JSON.stringify({ email: EMAIL }))
  t.match(requested, { status: 200, cookies: [/^__Host-otp_request=/] })
  const cookie = requested.cookies[0]!.split(';')[0]!
  const verified = await send('POST', '/auth/verify-otp', { ...page, cookie }, JSON.stringify({ email: EMAIL, code: codeFor(EMAIL) }))
  t.match(verified, { status: 200, body: { access_token: String } })
  t.match(await send('GET', '/me', { authorization: `Bearer ${verified.body.access_token}` }), { status: 200, body: { email: EMAIL } })
  const refreshCookie = verified.cookies.find((line) => line.startsWith('__Host-refresh_token='))!.split(';')[0]!
  t.match(await send('POST', '/auth/refresh', { origin, cookie: refreshCookie }), { status: 200 })
  t.match(await send('POST', '/auth/refresh', { origin: 'https://evil.example', cookie: refreshCookie }), { status: 403 })
}

/** A request by Node's own HTTP/1.1 client to a server on loopback. */
const http1 = (client: typeof httpRequest, port: number, host: string): Send => async (method, path, headers, body) => {
  const request = client({ port, host: '127.0.0.1', method, path, headers: { host, ...headers }, rejectUnauthorized: false } as object)
  request.end(body)
  const [response] = await once(request, 'response')
  return { status: response.statusCode, body: JSON.parse(await text(response)), cookies: response.headers['set-cookie'] ?? [] }
}

async function listen (t: Test, fastify: object = {}): Promise<TestApp & { port: number }> {
  const app = await buildApp(t, { fastify: fastify as FastifyServerOptions })
  await app.app.listen({ host: '127.0.0.1', port: 0 })
  return { ...app, port: (app.app.server.address() as AddressInfo).port }
}

t.test('login, refresh and a guarded route work over HTTPS', { skip: skipWithout('openssl') }, async (t) => {
  const app = await listen(t, { https: certificate(t) })
  const host = `localhost:${app.port}`
  await logIn(t, app, `https://${host}`, http1(httpsRequest as typeof httpRequest, app.port, host))
})

t.test('login, refresh and a guarded route work over HTTP/2, whose requests have no Host header', { skip: skipWithout('openssl') }, async (t) => {
  const app = await listen(t, { http2: true, https: { ...certificate(t), allowHTTP1: true } })
  const origin = `https://localhost:${app.port}`
  const client = connect(origin, { rejectUnauthorized: false })
  t.teardown(() => client.close())
  await logIn(t, app, origin, async (method, path, headers, body) => {
    const stream = client.request({ ':method': method, ':path': path, ...headers })
    stream.end(body)
    const [response] = await once(stream, 'response')
    return { status: response[':status'], body: JSON.parse(await text(stream)), cookies: response['set-cookie'] ?? [] }
  })
  t.match(await http1(httpsRequest as typeof httpRequest, app.port, `localhost:${app.port}`)('GET', '/me', {}), { status: 401 }, 'HTTP/1.1 works on the same server')
})

t.test('login, refresh and a guarded route work behind a proxy that ends TLS, forwards the client IP and uses another host name', async (t) => {
  const app = await listen(t, { trustProxy: '127.0.0.1' })
  const forwarded = { host: 'backend.internal', 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'app.example', 'x-forwarded-proto': 'https' }
  const proxy = createServer((request, reply) => {
    const { method, url, headers } = request
    request.pipe(httpRequest({ port: app.port, host: '127.0.0.1', method, path: url, headers: { ...headers, ...forwarded } }, (response) => {
      reply.writeHead(response.statusCode!, response.headers)
      response.pipe(reply)
    }))
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => { proxy.close() })
  await logIn(t, app, 'https://app.example', http1(httpRequest, (proxy.address() as AddressInfo).port, 'app.example'))
  t.equal(app.emails[0]!.request.ip, '203.0.113.9', 'limits count the client, not the proxy')
})
