import { type EpochMs, type KeyId, keyId } from '../domain/ids.ts'
import { exportMac, isSame } from './audit-seal.ts'
import { isObject } from './json-object.ts'
import type { Keyring } from './keyring.ts'

const FORMAT = 'qscope-audit-head/1'
const BASE64URL_32 = /^[A-Za-z0-9_-]{43}$/

/** Where one chain ended. */
export interface ChainEnd {
  readonly writerId: string
  readonly sequence: number
  readonly hash: Buffer
}

/**
 * Where all chains ended at one moment, as a line of JSON under a MAC: kept
 * apart from the database, it tells later whether one was cut or taken away.
 */
export function sealExportedHead(keyring: Keyring, at: EpochMs, chains: readonly ChainEnd[]): string {
  const id = keyring.active('audit')
  const content = {
    format: FORMAT,
    keyId: id,
    createTime: new Date(at).toISOString(),
    chains: chains.map(({ writerId, sequence, hash }) => [writerId, sequence, hash.toString('base64url')]),
  }
  return JSON.stringify({ ...content, mac: macOf(keyring, id, content) })
}

/** The chains of an exported head by writer, or why it cannot be used. */
export function openExportedHead(keyring: Keyring, text: string): ReadonlyMap<string, ChainEnd> | string {
  const parsed = parse(text)
  if (parsed === null) return 'is not a head that was exported'
  const { mac, ...content } = parsed
  if (!keyring.has('audit', content.keyId))
    return `was exported under the audit key ${content.keyId}, which is not here`
  const isOurs = isSame(Buffer.from(mac), Buffer.from(macOf(keyring, content.keyId, content)))
  if (!isOurs) return 'was changed since it was exported, or comes from another keyring'
  return new Map(
    content.chains.map(([writerId, sequence, hash]) => [
      writerId,
      { writerId, sequence, hash: Buffer.from(hash, 'base64url') },
    ]),
  )
}

interface Content {
  readonly format: string
  readonly keyId: KeyId
  readonly createTime: string
  readonly chains: readonly (readonly [string, number, string])[]
}

function macOf(
  keyring: Keyring,
  id: KeyId,
  { format, createTime, chains }: Omit<Content, 'chains'> & { readonly chains: readonly unknown[] },
): string {
  return exportMac(keyring, id, JSON.stringify([format, createTime, chains])).toString('base64url')
}

function parse(text: string): (Content & { readonly mac: string }) | null {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return null
  }
  if (!isObject(document)) return null
  const { format, keyId: id, createTime, chains, mac } = document
  if (format !== FORMAT || typeof id !== 'string' || typeof createTime !== 'string' || typeof mac !== 'string')
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
