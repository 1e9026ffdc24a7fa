import type { Http2Stream, StreamHandler } from '../application.ts'
import type { Refusal } from '../refusals.ts'

/** A request that is no call of gRPC. It is refused when all of it has come: clients of HTTP may not look at an answer before that. */
export class RefusedRequest implements StreamHandler {
  readonly #stream: Http2Stream
  readonly #refusal: Refusal

  constructor(stream: Http2Stream, refusal: Refusal, endStream: boolean) {
    this.#stream = stream
    this.#refusal = refusal
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
    this.#stream.released()
  }

  drained(): void {
    // All that is sent is one sentence.
  }

  #answer(): void {
    this.#stream.respond(this.#refusal.headers, this.#refusal.content, null)
    this.#stream.released()
  }
}
