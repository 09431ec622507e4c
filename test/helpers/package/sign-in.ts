import { fork } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { ownEnvironment } from '../environment.ts'

/**
 * Starts the server of a consumer in a separate process and logs in: request, code, verify, guarded route.
 *
 * @returns the responses of the guarded route, without a token and with one
 */
export async function signIn (program: string, { path = process.execPath, execArgv = [] as string[] } = {}) {
  const server = fork(program, { execPath: path, execArgv, env: ownEnvironment(), stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  const ended = once(server, 'exit')
  const errorOutput = text(server.stderr!)
  const nextMessage = async () => {
    const [message] = await Promise.race([once(server, 'message'), ended.then(async () => { throw new Error(await errorOutput) })])
    return message as { port: number, code: string }
  }
  try {
    const url = `http://127.0.0.1:${(await nextMessage()).port}`
    const post = async (route: string, body: object) => {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${url}/auth/${route}`, { method: 'POST', headers, body: JSON.stringify(body) })
      return await response.json() as { request_id: string, access_token: string }
    }
    const me = async (headers: Record<string, string>) => {
      const response = await fetch(`${url}/me`, { headers })
      return { status: response.status, body: await response.json() }
    }

    const email = 'anna@example.com'
    const sent = nextMessage()
    const { request_id: requestId } = await post('request-otp', { email })
    const { access_token: token } = await post('verify-otp', { email, code: (await sent).code, request_id: requestId })
    return { stranger: await me({}), user: await me({ authorization: `Bearer ${token}` }), errorOutput: () => errorOutput }
  } finally {
    server.disconnect()
    await ended
  }
}
