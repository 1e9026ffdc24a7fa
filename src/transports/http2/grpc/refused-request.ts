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

/** Is refused when all of it has come: clients of HTTP may not look at an answer before that. */
export class RefusedRequest implements StreamHandler {
  readonly #stream: Http2Stream
  readonly #refusal: HttpRefusal

  constructor(stream: Http2Stream, refusal: HttpRefusal, endStream: boolean) {
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
    this.#stream.respond(this.#refusal.block, [this.#refusal.body], null)
    this.#stream.released()
  }
}
