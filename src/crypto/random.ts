import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'
import { type EpochMs, epochMs } from '../domain/ids.ts'

const POOL_BYTES = 8192
const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
let used = POOL_BYTES
/** How many ids were drawn, from a random start so that instances differ. */
let drawn = randomFillSync(Buffer.alloc(4)).readUInt32BE() >>> 1

/**
 * Fresh bytes of the operating system's generator, drawn in pools: one call a
 * token costs ten times as much. Bytes are wiped from the pool as they leave it.
 */
export function randomBytes(length: number): Buffer {
  if (length > POOL_BYTES) throw new RangeError(`at most ${POOL_BYTES} random bytes at a time`)
  if (used + length > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = Buffer.from(pool.subarray(used, used + length))
  pool.fill(0, used, used + length)
  used += length
  return bytes
}

/** A UUIDv7 (RFC 9562 §5.7): sorts by time, also within one millisecond of this process. */
export function uuidV7(): string {
  return uuidV7At(epochMs(Date.now()))
}

/** A UUIDv7 of a given moment: its first 48 bits are that millisecond, and of two drawn for one the later sorts after. */
export function uuidV7At(moment: EpochMs): string {
  drawn = (drawn + 1) >>> 0
  return v7({ msecs: moment, seq: drawn, random: randomBytes(16) })
}

/** A number in [0, 1) for jitter; not for secrets. */
export function jitter(): number {
  return Math.random()
}
