import { connect, createServer, type Server, type Socket } from 'node:net'
import { type GoAway, GoAwayReader } from './goaway-reader.ts'

/** The record of a connection of a caller. */
export interface BalancedConnection {
  readonly backend: number
  /** The GOAWAY frames of the server, in order. */
  readonly goAways: readonly GoAway[]
  readonly isClosed: boolean
}

/**
 * Distributes connections to servers in turn, as a load balancer does, and reads the GOAWAY frames in the output of
 * the servers.
 */
export class ConnectionBalancer {
  readonly connections: BalancedConnection[] = []
  readonly #backends: readonly number[]
  readonly #withdrawn = new Set<number>()
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #next = 0

  constructor(backends: readonly number[]) {
    this.#backends = backends
    this.#server = createServer((caller) => this.#join(caller))
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the balancer does not listen')
    return `127.0.0.1:${address.port}`
  }

  /** Sends new connections to other servers; open ones stay. */
  withdraw(backend: number): void {
    this.#withdrawn.add(backend)
  }

  readmit(backend: number): void {
    this.#withdrawn.delete(backend)
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(caller: Socket): void {
    const open = this.#backends.filter((each) => !this.#withdrawn.has(each))
    const backend = open[this.#next % open.length]
    this.#next += 1
    if (backend === undefined) {
      caller.destroy()
      return
    }
    const server = connect({ port: backend, host: '127.0.0.1', allowHalfOpen: true })
    const reader = new GoAwayReader()
    const connection = { backend, goAways: reader.goAways, isClosed: false }
    this.connections.push(connection)
    server.on('data', (bytes) => reader.read(bytes))
    server.on('close', () => {
      connection.isClosed = true
      caller.destroy()
    })
    caller.on('close', () => server.destroy())
    for (const socket of [caller, server]) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      // The callers report what is lost with it.
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    }
    caller.pipe(server).pipe(caller)
  }
}
