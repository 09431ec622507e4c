import { connect, type Socket } from 'node:net'

/** A request as it is sent, even if no real client would send it. */
export interface Shot {
  method: string
  target: string
  headers: Array<[name: string, value: string]>
  body?: Buffer | undefined
  /** Sent in chunks instead of with a length. */
  chunked?: boolean
  /** Changes the final bytes. The result can be an incomplete request, or none. */
  spoil?: (bytes: Buffer) => Buffer
}

export interface WireAnswer {
  status: number
  /** Names in lower case, in the order of the response. */
  headers: ReadonlyArray<readonly [name: string, value: string]>
  body: string
}

export function headerOf ({ headers }: WireAnswer, name: string): string | undefined {
  return headers.find(([known]) => known === name)?.[1]
}

function serialize ({ method, target, headers, body, chunked, spoil }: Shot): Buffer {
  const framing = body === undefined ? [] : chunked === true ? ['transfer-encoding: chunked'] : [`content-length: ${body.length}`]
  const closing = spoil === undefined ? [] : ['connection: close']
  const head = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), ...framing, ...closing, '', '']
  const sent = body === undefined ? Buffer.alloc(0) : chunked === true ? inChunks(body) : body
  const bytes = Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), sent])
  return spoil === undefined ? bytes : spoil(bytes)
}

function inChunks (body: Buffer): Buffer {
  const half = Math.ceil(body.length / 2)
  const chunks = [body.subarray(0, half), body.subarray(half)].filter((chunk) => chunk.length > 0)
  const framed = chunks.map((chunk) => Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]))
  return Buffer.concat([...framed, Buffer.from('0\r\n\r\n')])
}

/** The complete responses at the start of the bytes, without interim ones (1xx). */
function parseAnswers (bytes: Buffer, withoutBodies: boolean): WireAnswer[] {
  const answers: WireAnswer[] = []
  let from = 0
  while (true) {
    const end = bytes.indexOf('\r\n\r\n', from)
    if (end === -1) return answers
    const [first, ...lines] = bytes.toString('latin1', from, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first!)?.[1])
    const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const)
    const length = withoutBodies ? 0 : Number(headers.find(([name]) => name === 'content-length')?.[1] ?? 0)
    const bodyFrom = end + 4
    from = bodyFrom + length
    if (from > bytes.length) return answers
    if (status < 100 || status >= 200) answers.push({ status, headers, body: bytes.toString('utf8', bodyFrom, from) })
  }
}

/** Milliseconds of silence after which a connection is closed. The server would wait for the rest of an incomplete request. */
const SILENCE = 50
/** Milliseconds after which a complete request counts as having no response. */
const PATIENCE = 20_000

export interface Wire {
  /** All responses: one, or any number if the bytes were changed. */
  send (shot: Shot): Promise<readonly WireAnswer[]>
  close (): void
}

/** Sends exactly these bytes over real sockets. Complete requests share connections. */
export function openWire (port: number): Wire {
  const idle: Socket[] = []

  function exchange (socket: Socket, bytes: Buffer, { isSpoilt, isHead }: { isSpoilt: boolean, isHead: boolean }): Promise<WireAnswer[]> {
    return new Promise((resolve) => {
      let received: Buffer = Buffer.alloc(0)
      let timer: NodeJS.Timeout
      function wait (): void {
        clearTimeout(timer)
        // The server closes a connection that is done. Connections that it leaves open are closed here.
        timer = isSpoilt ? setTimeout(hangUp, SILENCE) : setTimeout(finish, PATIENCE)
      }
      function hangUp (): void {
        socket.end()
        timer = setTimeout(finish, 20 * SILENCE)
      }
      function finish (): void {
        clearTimeout(timer)
        socket.removeAllListeners('data').removeAllListeners('close')
        const answers = parseAnswers(received, isHead)
        // If Node cannot read a request, its response lacks this header and it closes the connection.
        const staysOpen = !isSpoilt && answers.length === 1 && headerOf(answers[0]!, 'connection') === 'keep-alive'
        if (staysOpen && !socket.destroyed) idle.push(socket)
        else socket.destroy()
        resolve(answers)
      }
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        wait()
        if (!isSpoilt && parseAnswers(received, isHead).length > 0) finish()
      })
      socket.on('close', finish)
      socket.write(bytes)
      wait()
    })
  }

  async function open (): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay()
    // A reset also ends the connection. The responses before it count.
    socket.on('error', () => {})
    await new Promise((resolve) => { socket.once('connect', resolve).once('close', resolve) })
    return socket
  }

  return {
    async send (shot) {
      const isSpoilt = shot.spoil !== undefined
      let socket = isSpoilt ? undefined : idle.pop()
      while (socket?.destroyed === true) socket = idle.pop()
      return await exchange(socket ?? await open(), serialize(shot), { isSpoilt, isHead: shot.method === 'HEAD' })
    },
    close () {
      for (const socket of idle) socket.destroy()
    }
  }
}
