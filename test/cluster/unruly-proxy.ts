import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** The faults of a proxy, in milliseconds and in fractions of all connections. */
export interface Mischief {
  /** The longest delay before a connection reaches its server, so that others may overtake it. */
  readonly mostBeforeMs: number
  /** The longest delay of each piece of data. */
  readonly mostDelayMs: number
  /** The longest life of a connection. */
  readonly mostLifeMs: number
  /** The fraction of connections that are also sent to another server, whose answers are dropped. */
  readonly duplicated: number
  /** The fraction of connections that stop passing data before they are cut. */
  readonly silenced: number
}

export const UNRULY: Mischief = Object.freeze({
  mostBeforeMs: 80,
  mostDelayMs: 30,
  mostLifeMs: 6_000,
  duplicated: 0.2,
  silenced: 0.2,
})

/** A proxy between a caller and several servers that delays, cuts, duplicates and reorders connections. */
export class UnrulyProxy {
  readonly #server: Server
  readonly #random: () => number
  readonly #mischief: Mischief
  readonly #sockets = new Set<Socket>()
  #targets: readonly string[]
  #isCalm = false
  /** The number of accepted connections. */
  connections = 0

  private constructor(targets: readonly string[], random: () => number, mischief: Mischief) {
    this.#targets = targets
    this.#random = random
    this.#mischief = mischief
    this.#server = createServer((caller) => void this.#accept(caller))
  }

  static async start(targets: readonly string[], random: () => number, mischief = UNRULY): Promise<UnrulyProxy> {
    const proxy = new UnrulyProxy(targets, random, mischief)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get address(): string {
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port')
    return `127.0.0.1:${bound.port}`
  }

  /** Sets the servers of new connections. */
  leadTo(targets: readonly string[]): void {
    this.#targets = targets
  }

  /** Stops delays, and does not cut new connections. */
  calm(): void {
    this.#isCalm = true
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #accept(caller: Socket): Promise<void> {
    this.connections += 1
    this.#keep(caller)
    const { mostBeforeMs, mostDelayMs, mostLifeMs, duplicated, silenced } = this.#mischief
    const draw = (most: number) => (this.#isCalm ? 0 : this.#random() * most)
    caller.pause()
    await pause(draw(mostBeforeMs))
    const server = this.#dial()
    const ends = [caller, server]
    const isSilenced = draw(1) > 1 - silenced
    let isSilent = false
    const delayMs = () => draw(mostDelayMs)
    passOn(caller, server, delayMs, () => true)
    caller.resume()
    passOn(server, caller, delayMs, () => !isSilent)
    if (draw(1) > 1 - duplicated) {
      const shadow = this.#dial()
      shadow.on('data', () => undefined)
      passOn(caller, shadow, delayMs, () => true)
      ends.push(shadow)
    }
    for (const socket of [caller, server]) {
      socket.on('close', () => {
        for (const other of ends) other.destroy()
      })
    }
    if (this.#isCalm) return
    const lifeMs = 200 + draw(mostLifeMs)
    if (isSilenced) setTimeout(() => (isSilent = true), lifeMs / 2).unref()
    setTimeout(() => caller.destroy(), lifeMs).unref()
  }

  #dial(): Socket {
    const target = this.#targets[Math.floor(this.#random() * this.#targets.length)] ?? ''
    const [host = '', port = ''] = target.split(':')
    const socket = connect({ host, port: Number(port) })
    this.#keep(socket)
    return socket
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket))
  }
}

/** Forwards data in order, with a delay of each piece. */
function passOn(from: Socket, to: Socket, delayMs: () => number, passes: () => boolean): void {
  let before = Promise.resolve()
  from.on('data', (piece) => {
    const late = pause(delayMs())
    before = before.then(async () => {
      await late
      if (passes() && to.writable) to.write(piece)
    })
  })
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
