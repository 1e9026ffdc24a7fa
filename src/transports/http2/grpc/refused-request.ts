import type { Http2Stream, StreamHandler } from '../application.ts'
import { encodeBlock } from '../hpack/encoder.ts'
import { HeaderField } from '../hpack/header-field.ts'

/** What a request gets that is no call of gRPC: a status of HTTP, and a sentence for whoever looks at it. */
export interface HttpRefusal {
  readonly block: Uint8Array
  readonly body: Uint8Array
}

export function httpRefusal(status: number, sentence: string, ...fields: readonly HeaderField[]): HttpRefusal {
  const head = [new HeaderField(':status', String(status)), new HeaderField('content-type', 'text/plain')]
  return { block: encodeBlock([...head, ...fields]), body: Buffer.from(`${sentence}\n`) }
}

/** How long the rest of a request may take that is refused in any case. */
const PATIENCE_MS = 10_000

/** Is refused when all of it has come, or has not for long: clients of HTTP may not look at an answer before that. */
export class RefusedRequest implements StreamHandler {
  readonly #stream: Http2Stream
  readonly #refusal: HttpRefusal
  readonly #timer: NodeJS.Timeout | null

  constructor(stream: Http2Stream, refusal: HttpRefusal, endStream: boolean) {
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
    this.#stream.respond(this.#refusal.block, [this.#refusal.body], null)
    this.#stream.released()
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
