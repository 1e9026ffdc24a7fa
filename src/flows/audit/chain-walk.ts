import { eventHash, headMac, isSame } from '../../crypto/audit-seal.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { AuditHead, AuditRecord } from '../../domain/audit-event.ts'
import { type ChainBreak, chainBreak } from './chain-break.ts'

/** How far a chain was followed. */
export interface ChainPlace {
  readonly sequence: number
  /** The hash of the row there; `null` if the walk begins in the middle, where the first row's word is taken for it. */
  readonly hash: Buffer | null
}

/** Follows the chain of one writer, row by row. */
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

  /** Goes on to the next row, or says why it does not follow. */
  step(record: AuditRecord): ChainBreak | null {
    const expected = this.#at.sequence + 1
    if (record.sequence !== expected) return this.missing()
    const { keyId, eventId } = record
    const at = { writerId: this.#writerId, sequence: expected, eventId }
    if (!this.#keyring.has('audit', keyId)) {
      return chainBreak('key_unknown', at, `the keyring has no audit key ${keyId}`)
    }
    if (!isSame(record.hash, eventHash(this.#keyring, record))) {
      return chainBreak('row_changed', at, 'the row does not fit its hash')
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

/** What is wrong with a head itself; `null`: whoever wrote it had the key. */
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
  return chainBreak('head_forged', { writerId, sequence }, 'the head does not fit its MAC')
}
