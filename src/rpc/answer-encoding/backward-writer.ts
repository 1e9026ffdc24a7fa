/** The size of the reused buffer. Most answers take a few hundred bytes. */
const KEPT_BYTES = 64 * 1024
/** RFC 3629: a UTF-16 code unit takes three bytes at most. */
const BYTES_OF_UNIT = 3
/** Up to this length, a string is encoded in JavaScript, because a native call costs more. */
const SHORT_TEXT = 80
const MAX_VARINT_BYTES = 10

/**
 * Writes values of the protobuf encoding backward, from the last to the first. The length of a nested message is then
 * known when its length prefix is written, without measuring or moving anything. The buffer is reused for the next message.
 */
export class BackwardWriter {
  #bytes = Buffer.allocUnsafeSlow(KEPT_BYTES)
  /** The position of the first written byte. */
  #at = KEPT_BYTES

  /** The number of bytes written so far. */
  get length(): number {
    return this.#bytes.length - this.#at
  }

  /** Returns a copy of the written bytes, and starts over. */
  take(): Buffer {
    const message = Buffer.allocUnsafe(this.length)
    this.#bytes.copy(message, 0, this.#at)
    this.clear()
    return message
  }

  clear(): void {
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(KEPT_BYTES)
    this.#at = this.#bytes.length
  }

  /** A non-negative integer below 2^53. */
  varint(value: number): void {
    if (value < 0x80) {
      this.#room(1)
      this.#at -= 1
      this.#bytes[this.#at] = value
      return
    }
    let size = 1
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1
    this.#room(size)
    this.#at -= size
    let at = this.#at
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
      this.#bytes[at] = (rest % 0x80) | 0x80
      at += 1
    }
    this.#bytes[at] = rest
  }

  /** An integer of 64 bits, in two's complement where it is negative. */
  varint64(value: bigint): void {
    if (value >= 0n && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(Number(value))
      return
    }
    const septets: number[] = []
    let rest = BigInt.asUintN(64, value)
    for (; rest >= 0x80n; rest >>= 7n) septets.push(Number(rest & 0x7fn) | 0x80)
    septets.push(Number(rest))
    this.bytes(Uint8Array.from(septets))
  }

  /** In UTF-8, half of a surrogate pair as U+FFFD. */
  text(value: string): void {
    const { length } = value
    this.#room(length * BYTES_OF_UNIT)
    if (length <= SHORT_TEXT && this.#shortAscii(value)) return
    const start = this.#at - Buffer.byteLength(value)
    this.#bytes.write(value, start, 'utf8')
    this.#at = start
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length)
    this.#at -= value.length
    this.#bytes.set(value, this.#at)
  }

  /** Returns `false` and writes nothing if the string is not all ASCII. */
  #shortAscii(value: string): boolean {
    const bytes = this.#bytes
    const start = this.#at - value.length
    for (let index = 0; index < value.length; index += 1) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) return false
      bytes[start + index] = unit
    }
    this.#at = start
    return true
  }

  #room(bytes: number): void {
    if (this.#at >= bytes) return
    const { length } = this
    const larger = Buffer.allocUnsafeSlow(2 * this.#bytes.length + bytes + MAX_VARINT_BYTES)
    this.#bytes.copy(larger, larger.length - length, this.#at)
    this.#at = larger.length - length
    this.#bytes = larger
  }
}
