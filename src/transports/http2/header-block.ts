import { ConnectionError, ErrorCode } from './error-codes.ts'
import { Flag } from './frames.ts'

/** The largest number of CONTINUATION frames in one block. The longest block fits in six full frames. */
const MAX_CONTINUATIONS = 32

/** A header block that arrives in several frames (RFC 9113 §4.3). The number of bytes and of frames is limited (CVE-2024-27316). */
export class HeaderBlock {
  readonly streamId: number
  /** The flags of the HEADERS frame. */
  readonly flags: number
  readonly dependsOnItself: boolean
  readonly #maxBytes: number
  readonly #fragments: Buffer[] = []
  #bytes = 0
  #continuations = 0

  constructor(streamId: number, flags: number, dependsOnItself: boolean, maxBytes: number) {
    this.streamId = streamId
    this.flags = flags
    this.dependsOnItself = dependsOnItself
    this.#maxBytes = maxBytes
  }

  /** Copies the fragment of the HEADERS frame. @throws ConnectionError */
  begin(bytes: Buffer, start: number, end: number): void {
    this.#add(bytes, start, end)
  }

  /** Copies the fragment of a CONTINUATION frame. Returns whether it was the last. @throws ConnectionError */
  continue(streamId: number, flags: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== this.streamId)
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'CONTINUATION of another stream')
    this.#continuations += 1
    if (this.#continuations > MAX_CONTINUATIONS) throw tooMuch()
    this.#add(bytes, start, end)
    return (flags & Flag.END_HEADERS) !== 0
  }

  /** The complete block. */
  whole(): Buffer {
    return Buffer.concat(this.#fragments, this.#bytes)
  }

  #add(bytes: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#bytes > this.#maxBytes) throw tooMuch()
    // Empty fragments are not stored.
    if (end > start) this.#fragments.push(Buffer.from(bytes.subarray(start, end)))
  }
}

function tooMuch(): ConnectionError {
  return new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'a header block that is too long')
}
