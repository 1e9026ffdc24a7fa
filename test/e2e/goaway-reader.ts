const HEAD_BYTES = 9
const GOAWAY = 7

export interface GoAway {
  readonly lastStreamId: number
  readonly errorCode: number
}

/** Reads in what a server sends on a connection of HTTP/2 when it says that this is to end (RFC 9113 §6.8). */
export class GoAwayReader {
  readonly goAways: GoAway[] = []
  #rest = Buffer.alloc(0)
  /** Of a payload that is not looked at. */
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
