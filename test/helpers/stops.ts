import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { STORAGE_VERBS } from '../../src/storage/verbs.ts'
import type { OtpAuthStorage } from '../../src/storage/contract.ts'
import type { Requestable } from './browser.ts'

const HEADER = 'x-stop'

/** Where a request stopped forever: before a storage call, or before its response. */
export interface Stopped {
  id: string
  before: string
}

interface Order {
  id: string
  /** The name of a storage method, or the number of the call, starting at 1. */
  at: string
  verbs: number
}

/** Marks each request to this server with an order to stop at a point. The server must {@link stopOnOrder}. */
export function toldToStop (server: Requestable, id: string, at: string | number): Requestable {
  return { inject: (request) => server.inject({ ...request, headers: { ...request.headers, [HEADER]: `${id} ${at}` } }) }
}

/**
 * The same storage, in which a request with an order never gets past its point. Everything before it has taken effect, and
 * nothing after it will. If the request never reaches the point, it stops before its response. Other requests are not affected.
 */
export function stopOnOrder (app: FastifyInstance, storage: OtpAuthStorage, tell: (stopped: Stopped) => void): OtpAuthStorage {
  const orders = new WeakMap<FastifyRequest, Order>()
  const current = new AsyncLocalStorage<Order>()

  async function stop ({ id }: Order, before: string): Promise<never> {
    tell({ id, before })
    return await new Promise<never>(() => {})
  }

  app.addHook('onRequest', (request, _reply, next) => {
    const [id, at] = (request.headers[HEADER] as string | undefined)?.split(' ') ?? []
    if (id === undefined) return next()
    const order = { id, at: at!, verbs: 0 }
    orders.set(request, order)
    current.run(order, next)
  })
  // Set it again, because the code after the body is read runs in the async context of the connection.
  app.addHook('preValidation', (request, _reply, next) => {
    const order = orders.get(request)
    if (order === undefined) next()
    else current.run(order, next)
  })
  app.addHook('onSend', async (request) => {
    const order = orders.get(request)
    if (order !== undefined) await stop(order, 'the response')
  })

  const verbs = Object.fromEntries(STORAGE_VERBS.map((verb) => [verb, async (...input: never[]) => {
    const order = current.getStore()
    if (order !== undefined && (++order.verbs === Number(order.at) || order.at === verb)) await stop(order, verb)
    return await (storage[verb] as (...input: never[]) => unknown)(...input)
  }]))
  return { ...verbs, userId: storage.userId } as never as OtpAuthStorage
}
