import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ErrorCode } from './error-codes.ts'

/** The application on top of the HTTP/2 layer. It gets the events of connections and requests. None of its methods may throw. */
export interface Http2Application {
  /** The preface and the first SETTINGS of the peer have arrived. */
  opened(connection: Http2Connection): void
  /** Called once, after `opened` and after the end of every stream of the connection. */
  closed(connection: Http2Connection): void
  /** The header block of a request is complete and valid. Returns the handler for the rest of the request. */
  request(stream: Http2Stream, headers: RequestHeaders, endStream: boolean): StreamHandler
  /**
   * A field of a request is malformed (RFC 9113 §8.2), so its stream is reset. Returns a header block that is sent as an
   * answer before the reset (§8.1.1), or `null`. `headers` has the fields before the malformed one.
   */
  malformed?(headers: RequestHeaders, field: string): Uint8Array | null
}

/** Handles the events of one request. None of its methods may throw. */
export interface StreamHandler {
  /**
   * A part of the request's content, which may be empty if it ends the request. `chunk` is a view into the connection's read
   * buffer and is valid only during this call. `stream.consumed(chunk.length)` returns the flow-control credit.
   */
  data(chunk: Buffer, endStream: boolean): void
  /** The trailers, which end the request. */
  trailers(headers: HeaderList): void
  /**
   * The stream ended before its answer was complete: by RST_STREAM (with its code), a lost connection, or a forced stop.
   * Called at most once.
   */
  aborted(code: number): void
  /** Called after `sendData` returned false, when the peer has read enough. */
  drained(): void
}

/** Header fields in the order of arrival, without pseudo-header fields. Several fields of one name are kept separate. */
export interface HeaderList {
  /** The first value of a name in lower case. */
  get(name: string): string | undefined
  /** All values of a name in lower case. */
  getAll(name: string): readonly string[]
  entries(): Iterable<readonly [name: string, value: string]>
  /** The size by RFC 9113 §6.5.2: names, values, and 32 bytes for each field, including pseudo-header fields. */
  readonly bytes: number
}

/** RFC 9113 §8.3.1. */
export interface RequestHeaders extends HeaderList {
  readonly method: string
  readonly scheme: string
  readonly path: string
  /** `:authority`, or `host` if that is missing. */
  readonly authority: string | undefined
}

/** One request and its answer. Data sent on a stream that has ended is silently dropped. */
export interface Http2Stream {
  readonly id: number
  readonly connection: Http2Connection
  /** Whether an answer can still be sent: neither side has ended the stream. */
  readonly writable: boolean
  /**
   * Sends a complete answer: an encoded header block, content in parts, and an encoded block of trailers. The last of them
   * that is not `null` ends the stream. Data that flow control blocks waits; the parts must not change until `released`.
   */
  respond(headers: Uint8Array, data: readonly Uint8Array[] | null, trailers: Uint8Array | null): void
  /** Sends an encoded header block. */
  sendHeaders(block: Uint8Array, endStream: boolean): void
  /**
   * Sends content in parts, which must not change until they have been sent. Returns false when the peer reads more slowly
   * than data is sent; the caller should then wait for `drained`.
   */
  sendData(parts: readonly Uint8Array[], endStream: boolean): boolean
  /** Sends an encoded header block that ends the stream, after the waiting content. */
  sendTrailers(block: Uint8Array): void
  /** Gives the peer credit for bytes of content that the handler has processed. */
  consumed(bytes: number): void
  /** Ends the stream at once with RST_STREAM, and drops waiting data. The handler is not called. */
  reset(code: ErrorCode): void
  /** The handler has ended. Only now the stream stops counting against the limits of its connection. */
  released(): void
}

/** A connection of a peer. */
export interface Http2Connection {
  /** For reading the peer's address and certificate. Only the connection itself may read from it or write to it. */
  readonly socket: Socket | TLSSocket
  /** The application's own state. */
  state: unknown
  /** Whether the connection was asked to end, or has ended. */
  readonly draining: boolean
  /** The number of streams that count against the limit: their handlers have not ended. */
  readonly streamCount: number
  /**
   * Ends the connection gracefully in two steps (RFC 9113 §6.8): a GOAWAY without a last stream, and after a round trip one
   * with it. Streams finish, and the connection ends with the last. `reason` is debug data that the peer may log.
   */
  goAway(reason?: string): void
  /** Aborts all streams, and ends the connection with a GOAWAY with this code. */
  close(code: ErrorCode, debug?: string): void
  /** Closes the socket at once. */
  destroy(): void
}
