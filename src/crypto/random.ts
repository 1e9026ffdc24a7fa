import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'
import { type EpochMs, epochMs } from '../domain/ids.ts'

const POOL_BYTES = 8192

/**
 * Random bytes of the operating system's generator, read in pools, because one call for each token costs ten times as much.
 * Bytes that were handed out are wiped from the pool.
 */
class RandomPool {
  readonly #bytes = Buffer.allocUnsafeSlow(POOL_BYTES)
  #used = POOL_BYTES

  take(length: number): Buffer {
    if (length > POOL_BYTES) throw new RangeError(`at most ${POOL_BYTES} random bytes at a time`)
    if (this.#used + length > POOL_BYTES) {
      randomFillSync(this.#bytes)
      this.#used = 0
    }
    const end = this.#used + length
    const bytes = Buffer.from(this.#bytes.subarray(this.#used, end))
    this.#bytes.fill(0, this.#used, end)
    this.#used = end
    return bytes
  }
}

/** Numbers UUIDs, so that those of one millisecond sort in order of creation. */
class UuidSequence {
  /** The start is random, so that processes differ. */
  #drawn = randomFillSync(Buffer.alloc(4)).readUInt32BE() >>> 1

  next(): number {
    this.#drawn = (this.#drawn + 1) >>> 0
    return this.#drawn
  }
}

/**
 * One instance for each process. This shares no information between its users: bytes and ids do not reveal other draws. UUIDs
 * sort within a millisecond only if one counter numbers all of a process.
 */
const POOL = new RandomPool()
const SEQUENCE = new UuidSequence()

export function randomBytes(length: number): Buffer {
  return POOL.take(length)
}

/** A UUIDv7 (RFC 9562 §5.7). Sorts by time, also within one millisecond of this process. */
export function uuidV7(): string {
  return uuidV7At(epochMs(Date.now()))
}

/** A UUIDv7 for a given moment: its first 48 bits are that millisecond. UUIDs of one millisecond sort in order of creation. */
export function uuidV7At(moment: EpochMs): string {
  return v7({ msecs: moment, seq: SEQUENCE.next(), random: randomBytes(16) })
}

/** A number in [0, 1) for jitter. Not for secrets. */
export function jitter(): number {
  return Math.random()
}
