import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A proxy between QScope and a client that simulates network failures. */
export interface NetworkProxy {
  readonly address: string
  /** From now on, requests reach the server, but its answers are dropped. */
  swallowAnswers(): void
  /** Breaks every connection. New connections work. */
  cut(): void
  /** Breaks every connection, and stops listening. */
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
