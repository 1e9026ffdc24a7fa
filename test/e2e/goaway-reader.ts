const HEAD_BYTES = 9
const GOAWAY = 7

export interface GoAway {
  readonly lastStreamId: number
  readonly errorCode: number
}

/** Reads GOAWAY frames (RFC 9113 §6.8) in the bytes that a server sends on an HTTP/2 connection. */
export class GoAwayReader {
  readonly goAways: GoAway[] = []
  #rest = Buffer.alloc(0)
  /** The remaining bytes of a payload to skip. */
  #skip = 0

  read(bytes: Buffer): void {
    let at = Math.min(this.#skip, bytes.byteLength)
    this.#skip -= at
    if (at === bytes.byteLength) return
    const all = this.#rest.byteLength === 0 ? bytes.subarray(at) : Buffer.concat([this.#rest, bytes.subarray(at)])
    at = 0
    while (all.byteLength - at >= HEAD_BYTES) {
      const length = all.readUIntBE(at, 3)
      const isGoAway = all[at + 3] === GOAWAY
      const left = all.byteLength - at - HEAD_BYTES
      if (isGoAway && left < length) break
      if (isGoAway) {
        const payload = all.subarray(at + HEAD_BYTES)
        this.goAways.push({ lastStreamId: payload.readUInt32BE(0) & 0x7fffffff, errorCode: payload.readUInt32BE(4) })
      }
      this.#skip = Math.max(0, length - left)
      at += HEAD_BYTES + Math.min(length, left)
    }
    this.#rest = Buffer.from(all.subarray(at))
  }
}
