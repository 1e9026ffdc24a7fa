import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { mediaTypeOf } from '../media-type.ts'
import { http2ServersOf } from './grpc-js-internals.ts'

const AUTHORIZATION = 'authorization'
const CONTENT_TYPE = 'content-type'
const GRPC = 'application/grpc'
const TIMEOUT = 'grpc-timeout'
/** What an integer of 32 bits holds, in the units of gRPC that can exceed it. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const UNITS_MS: Readonly<Record<string, number>> = Object.freeze({ S: 1_000, M: 60_000, H: 3_600_000 })

/**
 * Has grpc-js read the headers of a call as the standards say. It sees every
 * value of `authorization`, so that two can be refused: Node keeps the first and
 * drops the others in silence. It knows the media type of gRPC in any case, which
 * it compares letter by letter. And a deadline more than 24 days away is none: it
 * would count the milliseconds in 32 bits, and find the deadline over. To be called
 * when the server is bound.
 */
export function correctRequestHeaders(server: Server): void {
  for (const http2Server of http2ServersOf(server)) http2Server.prependListener('stream', correct)
}

function correct(
  _stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  _flags: number,
  raw: readonly string[],
): void {
  const contentType = headers[CONTENT_TYPE]
  if (contentType !== undefined && !contentType.startsWith(GRPC)) headers[CONTENT_TYPE] = mediaTypeOf(contentType)
  if (isBeyondCounting(headers[TIMEOUT])) delete headers[TIMEOUT]
  if (raw.indexOf(AUTHORIZATION) === raw.lastIndexOf(AUTHORIZATION)) return
  Reflect.set(
    headers,
    AUTHORIZATION,
    raw.filter((_text, index) => index % 2 === 1 && raw[index - 1] === AUTHORIZATION),
  )
}

function isBeyondCounting(timeout: unknown): boolean {
  if (typeof timeout !== 'string') return false
  const unit = UNITS_MS[timeout.slice(-1)]
  return unit !== undefined && Number(timeout.slice(0, -1)) * unit > MAX_TIMEOUT_MS
}

/** How many calls start in one turn of the event loop: as many as one caller may run at once. */
const MAX_STARTED_PER_TURN = 32

/**
 * Spreads calls that arrive together over turns of the event loop, for one packet
 * can bring a thousand of them: the calls of others start in between. To be called
 * when the server is bound, after all others who listen for streams.
 */
export function spreadStreams(server: Server): void {
  const arrivals = new SpreadArrivals()
  for (const http2Server of http2ServersOf(server)) {
    const listeners = http2Server.listeners('stream')
    const start = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: readonly string[]) => {
      for (const listener of listeners) listener.call(http2Server, stream, headers, flags, raw)
    }
    http2Server.removeAllListeners('stream')
    http2Server.on(
      'stream',
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: readonly string[]) => {
        if (arrivals.mayStart()) {
          start(stream, headers, flags, raw)
          return
        }
        // Until it starts nobody else listens, and it may be cancelled.
        stream.on('error', () => undefined)
        arrivals.wait(stream.session, () => {
          // One that was cancelled meanwhile is dropped, with what came of it.
          if (stream.closed || stream.destroyed) stream.destroy()
          else start(stream, headers, flags, raw)
        })
      },
    )
  }
}

/** Limits how many calls start in each turn of the event loop. Those beyond wait; the connections take turns. */
export class SpreadArrivals {
  #started = 0
  #turnEnds = false
  readonly #waiting = new Map<object | undefined, (() => void)[]>()

  /** Whether one more may start now; it counts as started. */
  mayStart(): boolean {
    if (!this.#turnEnds) {
      this.#turnEnds = true
      setImmediate(() => this.#nextTurn())
    }
    if (this.#started === MAX_STARTED_PER_TURN || this.#waiting.size > 0) return false
    this.#started += 1
    return true
  }

  /** Starts it in one of the next turns. */
  wait(connection: object | undefined, start: () => void): void {
    const queue = this.#waiting.get(connection)
    if (queue === undefined) this.#waiting.set(connection, [start])
    else queue.push(start)
  }

  #nextTurn(): void {
    this.#started = 0
    this.#turnEnds = this.#waiting.size > 0
    if (this.#turnEnds) setImmediate(() => this.#nextTurn())
    // The iteration of a map includes what is added to its end meanwhile.
    for (const [connection, queue] of this.#waiting) {
      if (this.#started === MAX_STARTED_PER_TURN) return
      this.#started += 1
      this.#waiting.delete(connection)
      const start = queue.shift()
      if (queue.length > 0) this.#waiting.set(connection, queue)
      start?.()
    }
  }
}
