import { failureOf } from './errors.ts'
import type { SqliteHandle } from './handle.ts'

/** Another process is waited for this long; longer waits are the main thread's, and can be given up. */
const PATIENCE_MS = 100
/**
 * SQLite's own busy handler sleeps longer and longer, up to 100 ms, while a
 * process that writes all the time frees the lock for a fraction of that: two of
 * them then wait 20 to 35 ms at the 99th percentile, and 200 at worst. Short
 * naps catch the next gap, and let them alternate.
 */
const NAP_MS = 0.3

const nobodyWakes = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** Takes the lock for writing, in turn with other processes. Blocks its thread meanwhile; the handle's own timeout is 0. */
export function beginImmediate(handle: SqliteHandle): void {
  for (const until = performance.now() + PATIENCE_MS; ; Atomics.wait(nobodyWakes, 0, 0, NAP_MS)) {
    try {
      handle.exec('begin immediate')
      return
    } catch (error) {
      if (!failureOf(error).code.startsWith('SQLITE_BUSY') || performance.now() >= until) throw error
    }
  }
}
