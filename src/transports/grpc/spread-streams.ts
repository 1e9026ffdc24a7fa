import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { http2ServersOf } from './grpc-js-internals.ts'

/** So many calls begin in one turn of the event loop: as many as one caller may run at once. */
const AT_ONCE = 32

/**
 * Spreads calls that arrive together over turns of the event loop, for one packet
 * can bring a thousand of them: what others ask is heard in between. To be called
 * when the server is bound, after all others who listen for streams.
 */
export function spreadStreams(server: Server): void {
  const arrivals = new SpreadArrivals()
  for (const http2Server of http2ServersOf(server)) {
    const listeners = http2Server.listeners('stream')
    const begin = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: readonly string[]) => {
      for (const listener of listeners) listener.call(http2Server, stream, headers, flags, raw)
    }
    http2Server.removeAllListeners('stream')
    http2Server.on(
      'stream',
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: readonly string[]) => {
        if (arrivals.mayBegin()) {
          begin(stream, headers, flags, raw)
          return
        }
        // Until it begins nobody else listens, and it may be broken off.
        stream.on('error', () => undefined)
        arrivals.wait(stream.session, () => {
          // One that was broken off meanwhile is let go of, with what came of it.
          if (stream.closed || stream.destroyed) stream.destroy()
          else begin(stream, headers, flags, raw)
        })
      },
    )
  }
}

/** Lets so many begin in each turn of the event loop; those beyond wait, one of each connection after the other. */
export class SpreadArrivals {
  #begun = 0
  #turnEnds = false
  readonly #waiting = new Map<object | undefined, (() => void)[]>()

  /** Whether one more may begin now, which it does then. */
  mayBegin(): boolean {
    if (!this.#turnEnds) {
      this.#turnEnds = true
      setImmediate(() => this.#nextTurn())
    }
    if (this.#begun === AT_ONCE || this.#waiting.size > 0) return false
    this.#begun += 1
    return true
  }

  /** Begins it in one of the next turns. */
  wait(connection: object | undefined, begin: () => void): void {
    const queue = this.#waiting.get(connection)
    if (queue === undefined) this.#waiting.set(connection, [begin])
    else queue.push(begin)
  }

  #nextTurn(): void {
    this.#begun = 0
    this.#turnEnds = this.#waiting.size > 0
    if (this.#turnEnds) setImmediate(() => this.#nextTurn())
    // A map goes on with what is added to its end meanwhile.
    for (const [connection, queue] of this.#waiting) {
      if (this.#begun === AT_ONCE) return
      this.#begun += 1
      this.#waiting.delete(connection)
      const begin = queue.shift()
      if (queue.length > 0) this.#waiting.set(connection, queue)
      begin?.()
    }
  }
}
