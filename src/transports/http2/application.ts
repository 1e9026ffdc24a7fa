import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ErrorCode } from './error-codes.ts'

/** What is built on the HTTP/2 layer: it is told of connections and requests. None of its methods may throw. */
export interface Http2Application {
  /** The preface and the first SETTINGS of the peer have come. */
  opened(connection: Http2Connection): void
  /** After `opened`, once; every stream of the connection has been told before. */
  closed(connection: Http2Connection): void
  /** A request's header block is complete and valid. Answers with who is told of what follows. */
  request(stream: Http2Stream, headers: RequestHeaders, endStream: boolean): StreamHandler
  /**
   * A field of a request is malformed (RFC 9113 §8.2), so that its stream is reset. Answers with a header block that says
   * so before (§8.1.1), or `null`. `headers` are those up to the field.
   */
  malformed?(headers: RequestHeaders, field: string): Uint8Array | null
}

/** Who is told what the peer does with one request. None of its methods may throw. */
export interface StreamHandler {
  /**
   * A part of the request's content; it may be empty where it ends the request. `chunk` is a view into the connection's
   * read buffer, valid during this call only. Flow-control credit comes back by `stream.consumed(chunk.length)`.
   */
  data(chunk: Buffer, endStream: boolean): void
  /** The trailers, which end the request. */
  trailers(headers: HeaderList): void
  /** The stream ended before its answer was complete: RST_STREAM (with its code), connection lost, forced stop. At most once. */
  aborted(code: number): void
  /** After `sendData` answered false: the peer has read enough. */
  drained(): void
}

/** Header fields in the order in which they came, without pseudo-header fields. Several of one name stay apart. */
export interface HeaderList {
  /** The first value of a name, which is in lower case. */
  get(name: string): string | undefined
  /** All values of a name, which is in lower case. */
  getAll(name: string): readonly string[]
  entries(): Iterable<readonly [name: string, value: string]>
  /** As RFC 9113 §6.5.2 counts them: names, values, and 32 for each field; pseudo-header fields too. */
  readonly bytes: number
}

/** RFC 9113 §8.3.1. */
export interface RequestHeaders extends HeaderList {
  readonly method: string
  readonly scheme: string
  readonly path: string
  /** `:authority`, or else `host`. */
  readonly authority: string | undefined
}

/** One request and its answer. What is sent on a stream that has ended is dropped in silence. */
export interface Http2Stream {
  readonly id: number
  readonly connection: Http2Connection
  /** Whether an answer can still be sent: neither side has ended it. */
  readonly writable: boolean
  /**
   * A whole answer in one go: an encoded header block, content in parts, an encoded block of trailers. The last that is not
   * `null` ends the stream. What flow control does not let pass waits; the parts must stay as they are until `released`.
   */
  respond(headers: Uint8Array, data: readonly Uint8Array[] | null, trailers: Uint8Array | null): void
  /** An encoded header block. */
  sendHeaders(block: Uint8Array, endStream: boolean): void
  /**
   * Content in parts, which must not change until they have been sent. Answers false when the peer reads more slowly than
   * is sent: more should wait for `drained`.
   */
  sendData(parts: readonly Uint8Array[], endStream: boolean): boolean
  /** An encoded header block that ends the stream, after the content that waits. */
  sendTrailers(block: Uint8Array): void
  /** Gives the peer credit for so many bytes of content that were handed over and are done with. */
  consumed(bytes: number): void
  /** Ends the stream at once with RST_STREAM, and drops what waits. The handler is not told. */
  reset(code: ErrorCode): void
  /** The handler has ended. Only now the stream stops counting against the limits of its connection. */
  released(): void
}

/** A connection of a peer. */
export interface Http2Connection {
  /** For the peer's address and certificate; nothing else may read or write it. */
  readonly socket: Socket | TLSSocket
  /** Room for the application's own state. */
  state: unknown
  /** Whether it was asked to end, or has ended. */
  readonly draining: boolean
  /** How many streams count against the limit: their handlers have not ended. */
  readonly streamCount: number
  /**
   * Ends it gracefully, in two steps (RFC 9113 §6.8): GOAWAY without a last stream, and one with it after a round trip.
   * Streams finish; the connection ends with the last. `reason` is debug data that the peer may log.
   */
  goAway(reason?: string): void
  /** Aborts all streams, and ends the connection with a GOAWAY of this code. */
  close(code: ErrorCode, debug?: string): void
  /** Cuts it. */
  destroy(): void
}
