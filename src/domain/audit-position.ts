import { CHAIN_ENDED_AFTER, type ChainHead, type ChainHeads, type ChainRange, type PlacedEvent } from './audit-event.ts'

/** A reader's position in one chain. */
export interface ChainMark {
  /** The place of the last event read. 0: none. */
  readonly sequence: number
  /** Distinguishes the chain from another one with the same ordinal, such as one of a restored database. Below 65,536. */
  readonly entry: number
}

/**
 * A reader's position in the audit log. A chain without a mark has been read to its end if its ordinal is at most `last`.
 * Otherwise it is unread.
 */
export class AuditPosition {
  readonly last: number
  readonly marks: ReadonlyMap<number, ChainMark>
  #name: string | null = null

  constructor(last: number, marks: ReadonlyMap<number, ChainMark>) {
    this.last = last
    this.marks = marks
  }

  /** In ascending order of the ordinals. */
  get ordered(): readonly (readonly [ordinal: number, mark: ChainMark])[] {
    return [...this.marks].sort(([one], [other]) => one - other)
  }

  /** Equal positions have equal names. */
  get name(): string {
    const marks = () => this.ordered.map(([ordinal, { sequence, entry }]) => `${ordinal}:${sequence}:${entry}`)
    this.#name ??= [this.last, ...marks()].join(' ')
    return this.#name
  }
}

const RADIX = 36

/** Encodes a position as text of about 15 characters for each mark. */
export function positionText({ last, ordered }: AuditPosition): string {
  let previous = 0
  const written = ordered.map(([ordinal, { sequence, entry }]) => {
    const ahead = ordinal - previous
    previous = ordinal
    return [ahead, sequence, entry].map((value) => value.toString(RADIX)).join('.')
  })
  return [last.toString(RADIX), ...written].join(' ')
}

/** Decodes the text of `positionText`. */
export function positionOf(text: string): AuditPosition {
  const [last = '', ...rest] = text.split(' ')
  let ordinal = 0
  const marks = rest.map((mark): readonly [number, ChainMark] => {
    const [ahead = 0, sequence = 0, entry = 0] = mark.split('.').map((value) => Number.parseInt(value, RADIX))
    ordinal += ahead
    return [ordinal, { sequence, entry }]
  })
  return new AuditPosition(Number.parseInt(last, RADIX), new Map(marks))
}

const ENTRIES = 65_536

/** Before the first event of every chain. */
export function logBeginning(): AuditPosition {
  return new AuditPosition(0, new Map())
}

/** The position of a reader that has read up to the heads. Chains that have ended need no mark. */
export function positionBehind(position: AuditPosition, { now, heads }: ChainHeads): AuditPosition {
  const last = Math.max(position.last, ...heads.map(({ ordinal }) => ordinal))
  const grown = heads.filter(({ updatedAt }) => updatedAt > now - CHAIN_ENDED_AFTER)
  return new AuditPosition(last, new Map(grown.map((head) => [head.ordinal, markAt(head, head.sequence)])))
}

/**
 * Whether the position belongs to another log: a chain is shorter than what was read of it, is a different chain, or is
 * missing. `heads` must cover all marks.
 */
export function isOfAnotherLog({ marks, last }: AuditPosition, heads: readonly ChainHead[]): boolean {
  const byOrdinal = new Map(heads.map((head) => [head.ordinal, head]))
  for (const [ordinal, mark] of marks) {
    const head = byOrdinal.get(ordinal)
    if (head === undefined && ordinal > last) continue
    if (head === undefined || head.sequence < mark.sequence || entryOf(head) !== mark.entry) return true
  }
  return false
}

/** The unread ranges between a position and the heads, in the byte order of the writers' ids. */
export function unreadEvents(position: AuditPosition, heads: readonly ChainHead[]): readonly ChainRange[] {
  return heads
    .flatMap(({ ordinal, writerId, sequence: upTo }) => {
      const after = readOf(position, ordinal)
      return after !== null && upTo > after ? [{ ordinal, writerId, after, upTo }] : []
    })
    .toSorted((a, b) => (a.writerId < b.writerId ? -1 : 1))
}

/** The place up to which a chain is read. `null`: its end. */
function readOf({ last, marks }: AuditPosition, ordinal: number): number | null {
  return marks.get(ordinal)?.sequence ?? (ordinal > last ? 0 : null)
}

/** The position after reading these events, which must be the next ones of their chains. */
export function positionAfter(
  position: AuditPosition,
  heads: readonly ChainHead[],
  events: readonly PlacedEvent[],
): AuditPosition {
  const byWriter = new Map(heads.map((head) => [head.writerId, head]))
  const marks = new Map(position.marks)
  for (const { writerId, sequence } of events) {
    const head = byWriter.get(writerId)
    if (head !== undefined) marks.set(head.ordinal, markAt(head, sequence))
  }
  return new AuditPosition(position.last, marks)
}

function markAt(head: ChainHead, sequence: number): ChainMark {
  return { sequence, entry: entryOf(head) }
}

function entryOf({ createdAt }: ChainHead): number {
  return createdAt % ENTRIES
}

/**
 * Merges the events of several chains by time, as far as the order within each chain allows. The events of one chain must be
 * in its order.
 */
export function inOrderOfTime(events: readonly PlacedEvent[]): readonly PlacedEvent[] {
  const chains = [...Map.groupBy(events, ({ writerId }) => writerId).values()].map((chain) => chain.values())
  const next = chains.flatMap((rest) => {
    const { value } = rest.next()
    return value === undefined ? [] : [{ value, rest }]
  })
  const merged: PlacedEvent[] = []
  while (next.length > 0) {
    const earliest = next.reduce((one, other) => (other.value.event.eventId < one.value.event.eventId ? other : one))
    merged.push(earliest.value)
    const { value } = earliest.rest.next()
    if (value === undefined) next.splice(next.indexOf(earliest), 1)
    else earliest.value = value
  }
  return merged
}
