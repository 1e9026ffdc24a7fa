import type { Http2Connection, RequestHeaders } from '../application.ts'
import type { CallStatus } from './status.ts'

/**
 * A call, as its method sees it. It is answered once: by `answer`; by `start`, any number of `write`, and `end`; or by `end`
 * alone. Anything sent after the end is ignored. Everything is ignored when the peer no longer waits. Header blocks are
 * created by `HeaderBlocks`.
 */
export interface ServerCall {
  readonly headers: RequestHeaders
  readonly connection: Http2Connection
  /** Milliseconds since 1970; `null`: the peer sets no deadline. */
  readonly deadline: number | null
  /** Whether the call ended before it was answered. */
  readonly isCancelled: boolean
  /** Sends the complete answer of a unary call. The message must not change any more. */
  answer(headers: Uint8Array, message: Uint8Array): void
  /** Sends the headers of a stream of answers. */
  start(headers: Uint8Array): void
  /**
   * Sends a message after `start`. The message must not change any more. `compressed`: the message is compressed, with the
   * encoding in the headers. Returns false when the peer reads more slowly than data is sent; the caller should then wait for
   * `drained`.
   */
  write(message: Uint8Array, compressed?: boolean): boolean
  /** Ends the call; with OK if no status is given. */
  end(status?: CallStatus): void
  /** Stops reading requests until `resume`. Flow control limits what the peer may send meanwhile to one window. */
  pause(): void
  resume(): void
  /**
   * The handler of the call has ended, whether it answered or not. Only then the call stops counting against the limits of
   * its connection.
   */
  release(): void
}
