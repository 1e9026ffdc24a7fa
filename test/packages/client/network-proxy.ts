import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Stands between QScope and a client, and fails as networks do. */
export interface NetworkProxy {
  readonly address: string
  /** From now on the server hears everything, and nothing that it says arrives. */
  swallowAnswers(): void
  /** Breaks every connection; all is well again for those made from now on. */
  cut(): void
  /** Breaks every connection, and nobody listens. */
  down(): void
  /** Listens again, on the same port. */
  up(): Promise<void>
}

export async function startNetworkProxy(target: string): Promise<NetworkProxy> {
  const [host = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let swallows = false

  const listener = createServer((client) => {
    const server = connect({ host, port: Number(port) })
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one)
      one
        .on('error', () => other.destroy())
        .on('close', () => {
          sockets.delete(one)
          other.destroy()
        })
    }
    client.on('data', (bytes) => server.write(bytes))
    server.on('data', (bytes) => {
      if (!swallows) client.write(bytes)
    })
  })
  const listen = (on: number) => new Promise<void>((resolve) => listener.listen(on, '127.0.0.1', resolve))
  await listen(0)
  const bound = listener.address()
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port')
  const cut = () => {
    swallows = false
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(async () => {
    cut()
    await new Promise((resolve) => listener.close(resolve))
  })
  return {
    address: `127.0.0.1:${bound.port}`,
    swallowAnswers: () => {
      swallows = true
    },
    cut,
    down: () => {
      listener.close()
      cut()
    },
    up: () => listen(bound.port),
  }
}
