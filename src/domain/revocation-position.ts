import type { EpochMs } from './ids.ts'
import type { EnteredHead, Revocation, RevocationRange } from './revocation.ts'

/** A reader's position with one writer. */
export interface WriterMark {
  /** The last revocation read. 0: none. */
  readonly sequence: number
  /** Distinguishes the writer from another one with the same number, such as one of a restored database. Below 65,536. */
  readonly entry: number
}

/** A reader's position for each writer. A missing writer: nothing was read of it. */
export type RevocationPosition = ReadonlyMap<number, WriterMark>

const ENTRIES = 65_536

/** Before the first revocation of every writer. */
export function beginning(): RevocationPosition {
  return new Map()
}

/** The position after the last revocation of every writer. */
export function positionAt(heads: readonly EnteredHead[]): RevocationPosition {
  return new Map(heads.map((head) => [head.writer, markAt(head, head.sequence)]))
}

/**
 * Whether the position belongs to other writers: one has written less than was read of it, or is a different writer. A writer
 * that was removed had no revocations left to read.
 */
export function isUnknown(position: RevocationPosition, heads: readonly EnteredHead[]): boolean {
  return heads.some((head) => {
    const mark = position.get(head.writer)
    return mark !== undefined && (mark.sequence > head.sequence || mark.entry !== entryOf(head.createdAt))
  })
}

/** Whether there may be revocations between a position and the heads. */
export function isBehind(position: RevocationPosition, heads: readonly EnteredHead[]): boolean {
  return heads.some(({ writer, sequence }) => sequence > (position.get(writer)?.sequence ?? 0))
}

/** The ranges between a position and the heads that may hold revocations, in the order of the heads. */
export function unreadRanges(position: RevocationPosition, heads: readonly EnteredHead[]): readonly RevocationRange[] {
  return heads.flatMap(({ writer, sequence: upTo }) => {
    const after = position.get(writer)?.sequence ?? 0
    return upTo > after ? [{ writer, after, upTo }] : []
  })
}

/** The position after a partial read: `revocations` are the first ones between the reader's position and the heads, and more follow. */
export function advanced(
  position: RevocationPosition,
  heads: readonly EnteredHead[],
  read: readonly Revocation[],
): RevocationPosition {
  const last = read.at(-1)
  if (last === undefined) return position
  // The revocations are ordered by writer. Writers before that of the last revocation have been read to the end.
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

/** Equal positions have equal names. */
export function nameOfPosition(position: RevocationPosition): string {
  return Array.from(position, ([writer, { sequence, entry }]) => `${writer}:${sequence}:${entry}`).join(' ')
}
