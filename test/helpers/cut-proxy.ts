import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A proxy between an application and its database that can cut the connection. */
export interface CutProxy {
  port: number
  /** Acts like a server that has stopped: every connection breaks, and new ones are refused. */
  cut (): Promise<void>
  /** Acts like a server or network that hangs: connections stay open, new ones are accepted, but no data passes. */
  hang (): void
  /** Ends `cut` or `hang`. Data that was held back by `hang` is delivered. */
  restore (): Promise<void>
}

/** Forwards a free port of this machine to `host:port`. */
export async function cutProxy (t: Test, host: string, port: number): Promise<CutProxy> {
  const sockets = new Set<Socket>()
  let hangs = false

  const server = createServer((near) => {
    const far = connect(port, host)
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket)
      if (hangs) socket.pause()
      socket.on('data', (chunk) => { other.write(chunk) })
      // If one side breaks, break the other one too, as without a proxy.
      socket.on('error', () => {})
      socket.on('close', () => { sockets.delete(socket); other.destroySoon() })
    }
  })
  const listen = async (at: number) => {
    server.listen(at, '127.0.0.1')
    await once(server, 'listening')
  }
  async function cut (): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  await listen(0)
  const own = (server.address() as AddressInfo).port
  t.teardown(cut)
  return {
    port: own,
    cut,
    hang () {
      hangs = true
      for (const socket of sockets) socket.pause()
    },
    async restore () {
      hangs = false
      for (const socket of sockets) socket.resume()
      if (!server.listening) await listen(own)
    }
  }
}
