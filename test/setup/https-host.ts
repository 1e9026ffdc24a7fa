import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import type { Identity } from './certificates.ts'

/** A text, a status, or what is done with the answer. */
export type Answer = string | number | ((response: ServerResponse) => void)

/** A host of documents over TLS. */
export interface HttpsHost {
  readonly port: number
  /** By path; whatever else is asked for is missing. It may change between requests. */
  readonly answers: Map<string, Answer>
  /** The paths that were asked for, in that order. */
  readonly asked: string[]
  /** How many connections were opened, whatever came of them. */
  connections: number
  readonly server: Server
}

/** Ends with the suite. `address`: an address of this machine. */
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
