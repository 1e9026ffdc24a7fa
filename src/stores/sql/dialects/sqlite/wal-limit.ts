import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'

/** On a small volume the log takes no more than this part of it. */
const SHARE_OF_VOLUME = 1 / 16
const LEAST_BYTES = 262_144
const PAGE_BYTES = 4_096

/** How large the write-ahead log may get before it is folded back, in bytes: as much as may be, if the volume has room. */
export function walLimitFor(file: string, most: number): number {
  const { blocks, bsize } = statfsSync(dirname(file))
  return Math.min(most, Math.max(LEAST_BYTES, Math.floor(blocks * bsize * SHARE_OF_VOLUME)))
}

/** The same in pages of the database. */
export function walPages(walLimit: number): number {
  return Math.max(1, Math.floor(walLimit / PAGE_BYTES))
}
