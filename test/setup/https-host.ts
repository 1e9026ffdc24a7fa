import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import type { Identity } from './certificates.ts'

/** A text, a status, or a function that writes the answer. */
export type Answer = string | number | ((response: ServerResponse) => void)

/** A TLS host for documents. */
export interface HttpsHost {
  readonly port: number
  /** The answers by path. Other paths are not found. May change between requests. */
  readonly answers: Map<string, Answer>
  /** The requested paths in order. */
  readonly asked: string[]
  /** The number of connections, including failed ones. */
  connections: number
  readonly server: Server
}

/** Closed at the end of the suite. `address`: an address of this machine. */
export async function httpsHost(identity: Pick<Identity, 'cert' | 'key'>, address = '127.0.0.1'): Promise<HttpsHost> {
  const server = createServer({ cert: identity.cert, key: identity.key }, ({ url = '' }, response) => {
    host.asked.push(url)
    const answer = host.answers.get(url) ?? 404
    if (typeof answer === 'function') answer(response)
    else if (typeof answer === 'number') response.writeHead(answer).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(answer)
  })
  server.on('connection', (socket) => {
    host.connections += 1
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const host: HttpsHost = { port, answers: new Map(), asked: [], connections: 0, server }
  return host
}
