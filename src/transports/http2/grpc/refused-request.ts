import type { Http2Stream, StreamHandler } from '../application.ts'
import type { Refusal } from '../refusals.ts'

/** How long the rest of a request may take that is refused in any case. */
const PATIENCE_MS = 10_000

/**
 * A request that is no call of gRPC. It is refused when all of it has come, or has not
 * for long: clients of HTTP may not look at an answer before that.
 */
export class RefusedRequest implements StreamHandler {
  readonly #stream: Http2Stream
  readonly #refusal: Refusal
  readonly #timer: NodeJS.Timeout | null

  constructor(stream: Http2Stream, refusal: Refusal, endStream: boolean) {
    this.#stream = stream
    this.#refusal = refusal
    this.#timer = endStream ? null : setTimeout(() => this.#answer(), PATIENCE_MS).unref()
    if (endStream) this.#answer()
  }

  data(chunk: Buffer, endStream: boolean): void {
    if (chunk.byteLength > 0) this.#stream.consumed(chunk.byteLength)
    if (endStream) this.#answer()
  }

  trailers(): void {
    this.#answer()
  }

  aborted(): void {
    this.#clearTimer()
    this.#stream.released()
  }

  drained(): void {
    // All that is sent is one sentence.
  }

  #answer(): void {
    this.#clearTimer()
    this.#stream.respond(this.#refusal.headers, this.#refusal.content, null)
    this.#stream.released()
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
