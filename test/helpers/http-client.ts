import { Agent, request } from 'node:http'
import type { InjectOptions } from 'fastify'
import type { Requestable } from './browser.ts'

/** Sends requests to a server over real sockets, with the interface of `inject`. Rejects if the connection breaks. */
export function httpClient (port: number, maxSockets: number): Requestable & { close (): void } {
  const agent = new Agent({ keepAlive: true, maxSockets })

  function inject ({ method, url, payload, headers, remoteAddress }: InjectOptions): ReturnType<Requestable['inject']> {
    const body = payload === undefined ? undefined : JSON.stringify(payload)
    return new Promise((resolve, reject) => {
      const sent = request({
        agent,
        host: '127.0.0.1',
        port,
        method: method!,
        path: url as string,
        headers: {
          ...headers as Record<string, string>,
          'x-forwarded-for': remoteAddress,
          ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
        }
      }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ statusCode: response.statusCode!, headers: response.headers, body: text, json: () => JSON.parse(text) })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  return { inject, close: () => agent.destroy() }
}
