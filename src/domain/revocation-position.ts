import type { EpochMs } from './ids.ts'
import type { EnteredHead, Revocation, RevocationRange } from './revocation.ts'

/** What a reader knows of one writer. */
export interface WriterMark {
  /** Its last revocation that was read; 0: none. */
  readonly sequence: number
  /** Tells it from another writer of the same number, such as one of a database that was restored; below 65,536. */
  readonly entry: number
}

/** How far a reader has come, by writer. A writer that is missing has told it nothing yet. */
export type RevocationPosition = ReadonlyMap<number, WriterMark>

const ENTRIES = 65_536

/** Before the first revocation of every writer. */
export function beginning(): RevocationPosition {
  return new Map()
}

/** Behind the last revocation of every writer. */
export function positionAt(heads: readonly EnteredHead[]): RevocationPosition {
  return new Map(heads.map((head) => [head.writer, markAt(head, head.sequence)]))
}

/**
 * Whether the writers are not those of the position: one has told less than was read
 * of it, or is another one. A writer that is gone had nothing left to tell.
 */
export function isUnknown(position: RevocationPosition, heads: readonly EnteredHead[]): boolean {
  return heads.some((head) => {
    const mark = position.get(head.writer)
    return mark !== undefined && (mark.sequence > head.sequence || mark.entry !== entryOf(head.createdAt))
  })
}

/** Whether there may be something to read between a position and the heads. */
export function isBehind(position: RevocationPosition, heads: readonly EnteredHead[]): boolean {
  return heads.some(({ writer, sequence }) => sequence > (position.get(writer)?.sequence ?? 0))
}

/** What there may be to read between a position and the heads, in the order of the heads. */
export function unreadRanges(position: RevocationPosition, heads: readonly EnteredHead[]): readonly RevocationRange[] {
  return heads.flatMap(({ writer, sequence: upTo }) => {
    const after = position.get(writer)?.sequence ?? 0
    return upTo > after ? [{ writer, after, upTo }] : []
  })
}

/**
 * Where a reader is that has read these revocations, the first ones of all that lie
 * between its position and the heads, and knows that others follow.
 */
export function advanced(
  position: RevocationPosition,
  heads: readonly EnteredHead[],
  read: readonly Revocation[],
): RevocationPosition {
  const last = read.at(-1)
  if (last === undefined) return position
  // They come ordered by writer: what lies before the last one's is read to its end.
  const marks = heads.flatMap((head): readonly [number, WriterMark][] => {
    if (head.writer < last.writer) return [[head.writer, markAt(head, head.sequence)]]
    if (head.writer === last.writer) return [[head.writer, markAt(head, last.sequence)]]
    const before = position.get(head.writer)
    return before === undefined ? [] : [[head.writer, before]]
  })
  return new Map(marks)
}

function markAt({ createdAt }: EnteredHead, sequence: number): WriterMark {
  return { sequence, entry: entryOf(createdAt) }
}

function entryOf(createdAt: EpochMs): number {
  return createdAt % ENTRIES
}

/** The same text for the same position. */
export function nameOfPosition(position: RevocationPosition): string {
  return Array.from(position, ([writer, { sequence, entry }]) => `${writer}:${sequence}:${entry}`).join(' ')
}
