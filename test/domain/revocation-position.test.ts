import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { epochMs } from '../../src/domain/ids.ts'
import type { EnteredHead, Revocation } from '../../src/domain/revocation.ts'
import {
  advanced,
  beginning,
  isBehind,
  isUnknown,
  nameOfPosition,
  positionAt,
  type RevocationPosition,
  unreadRanges,
} from '../../src/domain/revocation-position.ts'

const ENTERED = epochMs(1_700_000_000_000)
const heads = (sequences: Readonly<Record<number, number>>, createdAt = ENTERED): readonly EnteredHead[] =>
  Object.entries(sequences).map(([writer, sequence]) => ({ writer: Number(writer), sequence, createdAt }))

/** What lies between a position and heads, in the order of the store. */
function between(position: RevocationPosition, until: readonly EnteredHead[]): readonly Revocation[] {
  return unreadRanges(position, until).flatMap(({ writer, after, upTo }) =>
    Array.from({ length: upTo - after }, (_, n) => ({
      writer,
      sequence: after + n + 1,
      key: Buffer.alloc(16),
      forgetTime: ENTERED,
    })),
  )
}

describe('the position of a reader of revocations', () => {
  it('is behind heads with more revocations of any writer than it has read', () => {
    expect(isBehind(beginning(), heads({}))).toBe(false)
    expect(isBehind(beginning(), heads({ 1: 1 }))).toBe(true)
    expect(isBehind(positionAt(heads({ 1: 3, 4: 2 })), heads({ 1: 3, 4: 2 }))).toBe(false)
    expect(isBehind(positionAt(heads({ 1: 3, 4: 2 })), heads({ 1: 3, 4: 3 }))).toBe(true)
    expect(isBehind(positionAt(heads({ 1: 3 })), heads({ 1: 3, 2: 1 }))).toBe(true)
  })

  it('is unknown to heads of a restored database, or of another writer with the same number', () => {
    const position = positionAt(heads({ 1: 3, 4: 2 }))
    expect(isUnknown(position, heads({ 1: 3, 4: 2, 5: 1 }))).toBe(false)
    expect(isUnknown(position, heads({ 1: 2, 4: 2 }))).toBe(true)
    expect(isUnknown(position, heads({ 1: 3, 4: 2 }, epochMs(ENTERED + 1)))).toBe(true)
    // A writer that had nothing left to tell was purged.
    expect(isUnknown(position, heads({ 4: 2 }))).toBe(false)
  })

  const sequences = fc.dictionary(fc.integer({ min: 1, max: 12 }).map(String), fc.nat({ max: 9 }), { maxKeys: 6 })

  it('reads everything once and in order, with any pages and concurrent writes', () => {
    fc.assert(
      fc.property(
        fc.array(sequences, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        (steps, limit) => {
          const now: Record<number, number> = {}
          const seen: string[] = []
          let position = beginning()
          const readTo = (until: readonly EnteredHead[]) => {
            const rows = between(position, until)
            const page = rows.slice(0, limit)
            seen.push(...page.map(({ writer, sequence }) => `${writer}:${sequence}`))
            position = rows.length > limit ? advanced(position, until, page) : positionAt(until)
            return rows.length > limit
          }
          for (const step of steps) {
            for (const [writer, more] of Object.entries(step)) now[Number(writer)] = (now[Number(writer)] ?? 0) + more
            readTo(heads(now))
          }
          while (readTo(heads(now)));
          const all = between(beginning(), heads(now)).map(({ writer, sequence }) => `${writer}:${sequence}`)
          expect(seen.toSorted()).toEqual(all.toSorted())
          for (const writer of Object.keys(now)) {
            const own = seen.filter((each) => each.startsWith(`${writer}:`)).map((each) => Number(each.split(':')[1]))
            expect(own).toEqual(own.toSorted((a, b) => a - b))
          }
          expect(nameOfPosition(position)).toBe(nameOfPosition(positionAt(heads(now))))
        },
      ),
    )
  })
})
