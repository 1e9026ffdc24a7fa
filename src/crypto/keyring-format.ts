import { type EpochMs, epochMs, type KeyId, keyId } from '../domain/ids.ts'
import { isObject } from './json-object.ts'
import { KEY_PURPOSES, type KeyMaterial, type KeyPurpose, type KeySet, keyMaterialOf } from './keyring.ts'

const FORMAT = 'qscope-keyring/1'
const KEY_BYTES = 32
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
const BASE64 = /^[A-Za-z0-9+/]{43}=$/

/** A keyring file that cannot be used; the message is one line and says what to do. */
export class KeyringFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'KeyringFileError'
  }
}

/** The text of a keyring file. */
export function printKeyring(material: KeyMaterial): string {
  const sets = KEY_PURPOSES.map((purpose) => {
    const { active, keys, created } = material[purpose]
    const entry = (id: KeyId, key: Buffer) => {
      const at = created.get(id)
      const text = key.toString('base64')
      return at === undefined ? text : { key: text, created: new Date(at).toISOString() }
    }
    return [purpose, { active, keys: Object.fromEntries([...keys].map(([id, key]) => [id, entry(id, key)])) }]
  })
  return `${JSON.stringify({ format: FORMAT, ...Object.fromEntries(sets) }, null, 2)}\n`
}

/** Throws `KeyringFileError`, which never quotes a key. */
export function parseKeyring(text: string, path: string): KeyMaterial {
  const broken = (problem: string) => new KeyringFileError(`the keyring file ${path} is broken: ${problem}`)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The parser's message quotes the text, which holds keys.
    throw broken('it is not JSON')
  }
  if (!isObject(document)) throw broken('it is not a JSON object')
  const { format, ...sets } = document
  if (format !== FORMAT) throw broken(`"format" should be ${JSON.stringify(FORMAT)}`)
  const unknown = Object.keys(sets).find((name) => !KEY_PURPOSES.some((purpose) => purpose === name))
  if (unknown !== undefined) throw broken(`${JSON.stringify(unknown)} is not a purpose of keys`)
  const keySet = (purpose: KeyPurpose): KeySet => {
    const set = sets[purpose]
    if (!isObject(set) || !isObject(set['keys'])) throw broken(`"${purpose}" should hold "active" and "keys"`)
    const keys = new Map<KeyId, Buffer>()
    const created = new Map<KeyId, EpochMs>()
    for (const [id, value] of Object.entries(set['keys'])) {
      if (!KEY_ID.test(id)) throw broken(`a key id of "${purpose}" is not 1 to 64 of [A-Za-z0-9._-]`)
      const { key, created: date } = isObject(value) ? value : { key: value }
      if (typeof key !== 'string' || !BASE64.test(key)) {
        throw broken(`the ${purpose} key ${id} is not ${KEY_BYTES} bytes in base64`)
      }
      keys.set(keyId(id), Buffer.from(key, 'base64'))
      if (date === undefined) continue
      const at = typeof date === 'string' ? Date.parse(date) : Number.NaN
      if (Number.isNaN(at)) throw broken(`"created" of the ${purpose} key ${id} is not an ISO 8601 time`)
      created.set(keyId(id), epochMs(at))
    }
    const active = set['active']
    if (typeof active !== 'string' || !keys.has(keyId(active))) {
      throw broken(`"active" of "${purpose}" names no key of its "keys"`)
    }
    return { active: keyId(active), keys, created }
  }
  return keyMaterialOf(keySet)
}
