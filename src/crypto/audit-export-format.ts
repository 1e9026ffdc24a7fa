import type { AuditRecord } from '../domain/audit-event.ts'
import { type EpochMs, type KeyId, keyId } from '../domain/ids.ts'
import { isObject } from '../json-object.ts'
import { exportMac, isSame } from './audit-seal.ts'
import type { Keyring } from './keyring.ts'

/** A row of the log as a line of an export. The metadata is an object if the server wrote it. */
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

/** The kind of an export's line. */
export type ExportLine =
  | { readonly kind: 'row'; readonly record: AuditRecord }
  | { readonly kind: 'end'; readonly head: string; readonly after: string | null; readonly isOurs: boolean }

/** The last line: the exported head, the head before it, and a MAC over both. */
export function printExportEnd(keyring: Keyring, head: string, after: string | null): string {
  const earlier = after === null ? null : macOf(after)
  const id = keyring.active('audit')
  return JSON.stringify({ head: JSON.parse(head), after: earlier, keyId: id, mac: endMac(keyring, id, head, earlier) })
}

/** The MAC of an exported head, which identifies it. */
export function macOf(head: string): string {
  const { mac } = JSON.parse(head)
  return String(mac)
}

/** Parses and validates a line. `null`: it is not a line of an export. */
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

const HEAD_FORMAT = 'qscope-audit-head/1'
const BASE64URL_32 = /^[A-Za-z0-9_-]{43}$/

/** The end of one chain. */
export interface ChainEnd {
  readonly writerId: string
  readonly sequence: number
  readonly hash: Buffer
}

/**
 * The ends of all chains at one moment, as a line of JSON under a MAC. Kept outside the database, it later shows whether a
 * chain was truncated or removed.
 */
export function sealExportedHead(keyring: Keyring, at: EpochMs, chains: readonly ChainEnd[]): string {
  const id = keyring.active('audit')
  const content = {
    format: HEAD_FORMAT,
    keyId: id,
    createTime: new Date(at).toISOString(),
    chains: chains.map(({ writerId, sequence, hash }) => [writerId, sequence, hash.toString('base64url')]),
  }
  return JSON.stringify({ ...content, mac: contentMac(keyring, id, content) })
}

/** The chains of an exported head by writer, or why it cannot be used. */
export function openExportedHead(keyring: Keyring, text: string): ReadonlyMap<string, ChainEnd> | string {
  const parsed = parseHead(text)
  if (parsed === null) return 'is not an exported head'
  const { mac, ...content } = parsed
  if (!keyring.has('audit', content.keyId))
    return `was exported with the audit key ${content.keyId}, which this keyring lacks`
  const isOurs = isSame(Buffer.from(mac), Buffer.from(contentMac(keyring, content.keyId, content)))
  if (!isOurs) return 'has been changed since it was exported, or was sealed with another keyring'
  return new Map(
    content.chains.map(([writerId, sequence, hash]) => [
      writerId,
      { writerId, sequence, hash: Buffer.from(hash, 'base64url') },
    ]),
  )
}

interface HeadContent {
  readonly format: string
  readonly keyId: KeyId
  readonly createTime: string
  readonly chains: readonly (readonly [string, number, string])[]
}

function contentMac(
  keyring: Keyring,
  id: KeyId,
  { format, createTime, chains }: Omit<HeadContent, 'chains'> & { readonly chains: readonly unknown[] },
): string {
  return exportMac(keyring, id, JSON.stringify([format, createTime, chains])).toString('base64url')
}

function parseHead(text: string): (HeadContent & { readonly mac: string }) | null {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return null
  }
  if (!isObject(document)) return null
  const { format, keyId: id, createTime, chains, mac } = document
  if (format !== HEAD_FORMAT || typeof id !== 'string' || typeof createTime !== 'string' || typeof mac !== 'string')
    return null
  if (!Array.isArray(chains) || !chains.every(isChain)) return null
  return { format, keyId: keyId(id), createTime, chains, mac }
}

function isChain(value: unknown): value is readonly [string, number, string] {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [writerId, sequence, hash] = value
  return (
    typeof writerId === 'string' &&
    Number.isSafeInteger(sequence) &&
    sequence >= 0 &&
    typeof hash === 'string' &&
    BASE64URL_32.test(hash)
  )
}
