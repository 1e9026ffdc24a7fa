import { CompressionError } from './compression-error.ts'
import { huffmanDecode, maxDecodedLength } from './huffman.ts'

/** The limit of every index, size and length: 28 bits after the prefix. */
const MAX_SHIFT = 21
const HUFFMAN = 0x80

/** Reads integers and strings of a header block (RFC 7541 §5). */
export class BlockReader {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0
  #decoded: Buffer = Buffer.alloc(0)

  /** Starts to read `bytes[start, end)`. */
  open(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  /** Releases the bytes, which are reused. */
  close(): void {
    this.#bytes = this.#bytes.subarray(0, 0)
    this.#at = 0
    this.#end = 0
  }

  get atEnd(): boolean {
    return this.#at === this.#end
  }

  /** Returns the next byte without consuming it. */
  peek(): number {
    return this.#bytes[this.#at] ?? 0
  }

  /** §5.1: an integer that begins in the low bits of the next byte. `mask` selects these bits. */
  integer(mask: number): number {
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let shift = 0; ; shift += 7) {
      if (shift > MAX_SHIFT) throw new CompressionError('an integer is too large')
      const byte = this.#byte()
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  /** §5.2: a string with one character for each byte. */
  text(): string {
    const coded = this.peek() >= HUFFMAN
    const length = this.integer(0x7f)
    const start = this.#at
    const end = start + length
    if (end > this.#end) throw new CompressionError('a string is longer than its header block')
    this.#at = end
    if (!coded) return this.#bytes.toString('latin1', start, end)
    const most = maxDecodedLength(length)
    if (this.#decoded.length < most) this.#decoded = Buffer.allocUnsafeSlow(most)
    const decoded = huffmanDecode(this.#bytes, start, end, this.#decoded)
    if (decoded < 0) throw new CompressionError('a string is not coded as RFC 7541 §5.2 says')
    return this.#decoded.toString('latin1', 0, decoded)
  }

  #byte(): number {
    if (this.#at === this.#end) throw new CompressionError('a header block ends too early')
    const byte = this.#bytes[this.#at] ?? 0
    this.#at += 1
    return byte
  }
}
