import type { AuditRecord } from '../domain/audit-event.ts'
import { type KeyId, keyId } from '../domain/ids.ts'
import { exportMac, isSame } from './audit-seal.ts'
import { isObject } from './json-object.ts'
import type { Keyring } from './keyring.ts'

/** A row of the log as a line of an export; the metadata as an object where it is what the server wrote. */
export function exportedRow(record: AuditRecord): object {
  const { previousHash, hash, metadata, ...columns } = record
  return {
    ...columns,
    metadata: isCanonical(metadata) ? JSON.parse(metadata) : metadata,
    previousHash: previousHash.toString('hex'),
    hash: hash.toString('hex'),
  }
}

function isCanonical(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object' && JSON.stringify(JSON.parse(text)) === text
  } catch {
    return false
  }
}

/** What a line of an export is. */
export type ExportLine =
  | { readonly kind: 'row'; readonly record: AuditRecord }
  | { readonly kind: 'end'; readonly head: string; readonly after: string | null; readonly isOurs: boolean }

/** The last line: up to which head the export went, after which earlier one, and that both belong together. */
export function printExportEnd(keyring: Keyring, head: string, after: string | null): string {
  const earlier = after === null ? null : macOf(after)
  const id = keyring.active('audit')
  return JSON.stringify({ head: JSON.parse(head), after: earlier, keyId: id, mac: endMac(keyring, id, head, earlier) })
}

/** The MAC of an exported head: what names it. */
export function macOf(head: string): string {
  const { mac } = JSON.parse(head)
  return String(mac)
}

/** Reads a line, believing nothing; `null` if it is none of an export. */
export function readExportLine(keyring: Keyring, text: string): ExportLine | null {
  const line = objectOf(text)
  if (line === null) return null
  if (!('head' in line)) return rowOf(line)
  const { after, keyId: id, mac } = line
  if (typeof id !== 'string' || typeof mac !== 'string' || (after !== null && typeof after !== 'string')) return null
  const head = JSON.stringify(line['head'])
  if (objectOf(head) === null) return null
  const expected = keyring.has('audit', keyId(id)) ? Buffer.from(endMac(keyring, keyId(id), head, after)) : null
  const isOurs = expected !== null && isSame(Buffer.from(mac), expected)
  return { kind: 'end', head, after, isOurs }
}

function endMac(keyring: Keyring, id: KeyId, head: string, after: string | null): string {
  return exportMac(keyring, id, JSON.stringify(['end', macOf(head), after])).toString('base64url')
}

function rowOf(line: Readonly<Record<string, unknown>>): ExportLine | null {
  const text = (name: string) => String(line[name])
  const textOrNull = (name: string) => (line[name] === null ? null : text(name))
  const bytes = (name: string) => Buffer.from(text(name), 'hex')
  const { writerId, sequence, createdAt, metadata } = line
  if (typeof writerId !== 'string' || typeof sequence !== 'number' || typeof createdAt !== 'number') return null
  const record: AuditRecord = {
    writerId,
    sequence,
    previousHash: bytes('previousHash'),
    hash: bytes('hash'),
    keyId: keyId(text('keyId')),
    eventId: text('eventId'),
    eventType: text('eventType'),
    rayId: text('rayId'),
    clientId: textOrNull('clientId'),
    userId: textOrNull('userId'),
    tokenId: textOrNull('tokenId'),
    grantId: textOrNull('grantId'),
    actor: text('actor'),
    metadata: typeof metadata === 'string' ? metadata : JSON.stringify(metadata ?? null),
    createdAt,
    createdBy: text('createdBy'),
  }
  return { kind: 'row', record }
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
