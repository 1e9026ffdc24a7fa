import type { Http2Stream, StreamHandler } from '../application.ts'
import type { Refusal } from '../refusals.ts'

/** How long the rest of a refused request may take to arrive. */
const PATIENCE_MS = 10_000

/**
 * A request that is not a gRPC call. It is refused when it has completely arrived, or after a time limit: HTTP clients may
 * not read an answer earlier.
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
    // The answer is only one sentence.
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
