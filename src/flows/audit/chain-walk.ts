import { eventHash, headMac, isSame } from '../../crypto/audit-seal.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { AuditHead, AuditRecord } from '../../domain/audit-event.ts'

/**
 * The possible faults of the log:
 *
 * - `row_changed`: a row does not match its hash; its content was changed.
 * - `row_missing`: a place in a chain is empty.
 * - `rows_reordered`: the row of a place is at another place.
 * - `row_unaccounted`: a row is before the first place or after the head: it was planted, or the head was set back.
 * - `key_unknown`: the keyring lacks the key that a row or head names.
 * - `head_missing`: a writer has rows, but no head.
 * - `head_forged`: a head was changed by someone without the key.
 * - `writer_missing`: a writer no longer exists, or is unknown although an exported head names it.
 * - `roster_forged`: the registry does not match the existing writers.
 * - `behind_export`: a chain is shorter than it was when a head was exported.
 * - `differs_from_export`: a chain contains a different event than it did when a head was exported.
 */
const CHAIN_BREAK_KINDS = Object.freeze([
  'row_changed',
  'row_missing',
  'rows_reordered',
  'row_unaccounted',
  'key_unknown',
  'head_missing',
  'head_forged',
  'writer_missing',
  'roster_forged',
  'behind_export',
  'differs_from_export',
] as const)

export type ChainBreakKind = (typeof CHAIN_BREAK_KINDS)[number]

/** The first fault of a chain, or of the set of chains. */
export interface ChainBreak {
  readonly kind: ChainBreakKind
  /** Empty if it is unknown. */
  readonly writerId: string
  /** The place in the chain. 0: the fault has no place. */
  readonly sequence: number
  /** The event at that place, if any. */
  readonly eventId: string | null
  /** Further details in a few words. */
  readonly detail: string
}

/** Creates a break. Unknown fields get their defaults. */
export function chainBreak(
  kind: ChainBreakKind,
  at: Partial<Pick<ChainBreak, 'writerId' | 'sequence' | 'eventId'>>,
  detail: string,
): ChainBreak {
  const { writerId = '', sequence = 0, eventId = null } = at
  return Object.freeze({ kind, writerId, sequence, eventId, detail })
}

/** The place up to which a chain was verified. */
export interface ChainPlace {
  readonly sequence: number
  /**
   * The hash of the row at that place. `null` if the walk starts in the middle: then the first row's predecessor hash
   * is trusted.
   */
  readonly hash: Buffer | null
}

/** Verifies the chain of one writer, row by row. */
export class ChainWalk {
  readonly #keyring: Keyring
  readonly #writerId: string
  #at: ChainPlace

  constructor(keyring: Keyring, writerId: string, from: ChainPlace) {
    this.#keyring = keyring
    this.#writerId = writerId
    this.#at = from
  }

  get at(): ChainPlace {
    return this.#at
  }

  /** Advances to the next row, or returns the reason why it does not follow. */
  step(record: AuditRecord): ChainBreak | null {
    const expected = this.#at.sequence + 1
    if (record.sequence !== expected) return this.missing()
    const { keyId, eventId } = record
    const at = { writerId: this.#writerId, sequence: expected, eventId }
    if (!this.#keyring.has('audit', keyId)) {
      return chainBreak('key_unknown', at, `the keyring has no audit key ${keyId}`)
    }
    if (!isSame(record.hash, eventHash(this.#keyring, record))) {
      return chainBreak('row_changed', at, 'the row does not match its hash')
    }
    if (this.#at.hash !== null && !record.previousHash.equals(this.#at.hash)) {
      return chainBreak('rows_reordered', at, 'the row does not follow the one before it')
    }
    this.#at = { sequence: expected, hash: record.hash }
    return null
  }

  /** The next place is empty. */
  missing(): ChainBreak {
    const at = { writerId: this.#writerId, sequence: this.#at.sequence + 1 }
    return chainBreak('row_missing', at, 'there is no row at this place')
  }
}

/** The fault of a head itself. `null`: it was written with the key. */
export function headBreak(keyring: Keyring, head: AuditHead): ChainBreak | null {
  const { writerId, sequence, keyId, mac } = head
  if (!keyring.has('audit', keyId)) {
    return chainBreak(
      'key_unknown',
      { writerId, sequence },
      `the keyring has no audit key ${keyId}, which the head names`,
    )
  }
  if (isSame(mac, headMac(keyring, head))) return null
  return chainBreak('head_forged', { writerId, sequence }, 'the head does not match its MAC')
}
