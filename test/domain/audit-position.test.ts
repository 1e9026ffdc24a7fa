import { describe, expect, it } from 'vitest'
import { openAuditCursor, sealAuditCursor } from '../../src/crypto/audit-cursor.ts'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { CHAIN_ENDED_AFTER, type ChainHead } from '../../src/domain/audit-event.ts'
import {
  AuditPosition,
  isOfAnotherLog,
  logBeginning,
  positionAfter,
  positionBehind,
  unreadEvents,
} from '../../src/domain/audit-position.ts'
import { epochMs } from '../../src/domain/ids.ts'

const NOW = epochMs(2_000_000_000_000)
const head = (ordinal: number, sequence: number, over: Partial<ChainHead> = {}): ChainHead => ({
  ordinal,
  writerId: `writer-${9 - ordinal}`,
  sequence,
  createdAt: epochMs(NOW - 1_000 - ordinal),
  updatedAt: epochMs(NOW - 1_000),
  ...over,
})
const at = (...heads: ChainHead[]) => ({ now: NOW, heads })

describe('a position in the audit log', () => {
  it('has unread the new events of its chains, and later chains completely', () => {
    const position = positionBehind(logBeginning(), at(head(1, 5), head(2, 7)))
    const grown = [head(1, 6), head(2, 7), head(3, 2)]
    expect(unreadEvents(position, grown).map(({ ordinal, after, upTo }) => [ordinal, after, upTo])).toEqual([
      [3, 0, 2],
      [1, 5, 6],
    ])
    expect(unreadEvents(logBeginning(), grown)).toHaveLength(3)
  })

  it('keeps no mark of a chain that has ended, and counts it as read', () => {
    const ended = head(1, 5, { updatedAt: epochMs(NOW - CHAIN_ENDED_AFTER) })
    const position = positionBehind(logBeginning(), at(ended, head(2, 7)))
    expect([...position.marks.keys()]).toEqual([2])
    expect(unreadEvents(position, [ended, head(2, 7)])).toEqual([])
  })

  it('continues in the middle of several chains', () => {
    const heads = [head(1, 3), head(2, 3)]
    const event = (writerId: string, sequence: number) => ({ writerId, sequence, event: {} as never })
    const position = positionAfter(logBeginning(), heads, [event('writer-8', 1), event('writer-8', 2)])
    expect(unreadEvents(position, heads).map(({ ordinal, after }) => [ordinal, after])).toEqual([
      [2, 0],
      [1, 2],
    ])
    expect(isOfAnotherLog(position, heads)).toBe(false)
  })

  it('belongs to another log if a chain is shorter, different, or missing', () => {
    const position = positionBehind(logBeginning(), at(head(1, 5), head(2, 7)))
    expect(isOfAnotherLog(position, [head(1, 5), head(2, 7)])).toBe(false)
    expect(isOfAnotherLog(position, [head(1, 4), head(2, 7)])).toBe(true)
    expect(isOfAnotherLog(position, [head(1, 5)])).toBe(true)
    expect(isOfAnotherLog(position, [head(1, 5), head(2, 7, { createdAt: epochMs(NOW) })])).toBe(true)
  })
})

describe('a cursor of the audit log', () => {
  const keyring = new Keyring(drawKeyMaterial())

  it('opens to its position, in any order of its marks', () => {
    const marks = new Map([
      [70_000, { sequence: 1_000_000, entry: 65_535 }],
      [3, { sequence: 0, entry: 0 }],
    ])
    const cursor = sealAuditCursor(keyring, new AuditPosition(70_001, marks))
    expect(openAuditCursor(keyring, cursor ?? '')?.name).toBe(new AuditPosition(70_001, marks).name)
    expect(openAuditCursor(keyring, sealAuditCursor(keyring, logBeginning()) ?? '')?.name).toBe('0')
  })

  it('does not open under another keyring or when modified', () => {
    const cursor = sealAuditCursor(keyring, logBeginning()) ?? ''
    expect(openAuditCursor(new Keyring(drawKeyMaterial()), cursor)).toBeNull()
    expect(openAuditCursor(keyring, `${cursor}AAAA`)).toBeNull()
    expect(openAuditCursor(keyring, '')).toBeNull()
  })

  it('is not created if more chains grow than fit', () => {
    const marks = new Map(Array.from({ length: 2_000 }, (_, n) => [n + 1, { sequence: 123_456, entry: 54_321 }]))
    expect(sealAuditCursor(keyring, new AuditPosition(2_000, marks))).toBeNull()
  })
})
