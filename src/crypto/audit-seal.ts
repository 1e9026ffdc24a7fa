import { timingSafeEqual } from 'node:crypto'
import type { UnsealedHead, UnsealedRecord } from '../domain/audit-event.ts'
import type { KeyId } from '../domain/ids.ts'
import type { Keyring } from './keyring.ts'

/**
 * What the audit keys sign. Each text is a JSON list that begins with what it
 * is, so that none can be read as another, or with its columns shifted.
 */

/** The hash of a row, over every column except the hash itself. */
export function eventHash(keyring: Keyring, record: UnsealedRecord): Buffer {
  return keyring.auditMac(
    record.keyId,
    JSON.stringify([
      'event',
      record.previousHash.toString('hex'),
      record.writerId,
      record.sequence,
      record.keyId,
      record.eventId,
      record.eventType,
      record.rayId,
      record.clientId,
      record.userId,
      record.tokenId,
      record.grantId,
      record.actor,
      record.metadata,
      record.createdAt,
      record.createdBy,
    ]),
  )
}

/** The MAC of a head. Without the key, nobody can forge the head of an earlier state or of a shorter chain. */
export function headMac(keyring: Keyring, head: UnsealedHead): Buffer {
  const { writerId, ordinal, sequence, hash, keyId } = head
  return keyring.auditMac(keyId, JSON.stringify(['head', writerId, ordinal, sequence, hash.toString('hex'), keyId]))
}

/** The total over the set of writers after one more has been added. Earlier totals are not stored. */
export function registryTotal(
  keyring: Keyring,
  keyId: KeyId,
  before: Buffer,
  { ordinal, writerId }: Pick<UnsealedHead, 'ordinal' | 'writerId'>,
): Buffer {
  return keyring.auditMac(keyId, JSON.stringify(['roster', before.toString('hex'), ordinal, writerId, keyId]))
}

/** The MAC of an export outside this machine, such as an exported head. */
export function exportMac(keyring: Keyring, keyId: KeyId, content: string): Buffer {
  return keyring.auditMac(keyId, JSON.stringify(['export', keyId, content]))
}

/** Compares in constant time. The stored value may have any length. */
export function isSame(stored: Buffer, computed: Buffer): boolean {
  return stored.length === computed.length && timingSafeEqual(stored, computed)
}

/** Seals new rows and heads under the active audit key. A chain keeps the key with which it began. */
export class ActiveAuditSeal {
  readonly keyId: KeyId
  readonly #keyring: Keyring

  constructor(keyring: Keyring) {
    this.#keyring = keyring
    this.keyId = keyring.active('audit')
  }

  hash(record: UnsealedRecord): Buffer {
    return eventHash(this.#keyring, record)
  }

  headMac(head: UnsealedHead): Buffer {
    return headMac(this.#keyring, head)
  }

  registryTotal(before: Buffer, writer: Pick<UnsealedHead, 'ordinal' | 'writerId'>): Buffer {
    return registryTotal(this.#keyring, this.keyId, before, writer)
  }
}
