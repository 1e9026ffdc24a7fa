import type { Http2Connection, RequestHeaders } from '../application.ts'
import type { CallStatus } from './status.ts'

/**
 * A call, as its method sees it. It is answered once: by `answer`, or by `start`, any
 * number of `write` and `end`, or by `end` alone. What comes after the end is ignored,
 * and so is all of it when nobody waits any more. Header blocks are those of `HeaderBlocks`.
 */
export interface ServerCall {
  readonly headers: RequestHeaders
  readonly connection: Http2Connection
  /** Milliseconds since 1970; `null`: the peer waits for ever. */
  readonly deadline: number | null
  /** Whether the call ended before it was answered. */
  readonly isCancelled: boolean
  /** The answer of a unary call, in one go. The message must not change any more. */
  answer(headers: Uint8Array, message: Uint8Array): void
  /** Sends the headers of a stream of answers. */
  start(headers: Uint8Array): void
  /**
   * Sends a message, after `start`; it must not change any more. `compressed`: it is,
   * as the headers say. Answers false when the peer reads more slowly than is sent:
   * more should wait for `drained`.
   */
  write(message: Uint8Array, compressed?: boolean): boolean
  /** Ends the call; with OK if no status is given. */
  end(status?: CallStatus): void
  /** Reads no further request, until `resume`. What the peer may send meanwhile is bounded by a window. */
  pause(): void
  resume(): void
  /** What handled the call has ended, answered or not: only then it stops counting against the limits of its connection. */
  release(): void
}
