import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { type KeyId, keyId } from '../domain/ids.ts'
import { KEY_PURPOSES, type KeyMaterial, type KeyPurpose, type KeySet } from './keyring.ts'
import { randomBytes } from './random.ts'

const FORMAT = 'qscope-keyring/1'
const KEY_BYTES = 32
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
const BASE64 = /^[A-Za-z0-9+/]{43}=$/
const OPEN_TO_OTHERS = 0o077

/** A keyring file that cannot be used; the message is one line and says what to do. */
export class KeyringFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'KeyringFileError'
  }
}

export interface KeyringFile {
  readonly material: KeyMaterial
  /** One line if others may read the file, else `null`. */
  readonly warning: string | null
}

/** Reads a keyring file; `null` if there is none. Throws `KeyringFileError` if it cannot be used. */
export function readKeyringFile(path: string): KeyringFile | null {
  let text: string
  let mode: number
  try {
    text = readFileSync(path, 'utf8')
    mode = statSync(path).mode
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw new KeyringFileError(`the keyring file ${path} cannot be read (${codeOf(error)})`, error)
  }
  const open = process.platform !== 'win32' && (mode & OPEN_TO_OTHERS) !== 0
  return {
    material: parseKeyring(text, path),
    warning: open ? `the keyring file ${path} is open to other users; run: chmod 600 ${path}` : null,
  }
}

/**
 * Creates a keyring file, readable by its owner only, and returns what it holds
 * afterwards: of any number of processes that create it at once, one writes it
 * and the others read that one's keys. It appears whole or not at all.
 */
export function createKeyringFile(path: string, material: KeyMaterial): KeyMaterial {
  const temporary = join(dirname(path), `.keyring-${randomBytes(8).toString('hex')}.tmp`)
  try {
    mkdirSync(dirname(path), { recursive: true })
    const file = openSync(temporary, 'wx', 0o600)
    try {
      writeSync(file, printKeyring(material))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    try {
      linkSync(temporary, path)
      syncFolder(dirname(path))
      return material
    } finally {
      unlinkSync(temporary)
    }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') {
      throw new KeyringFileError(`the keyring file ${path} cannot be created (${codeOf(error)})`, error)
    }
    const first = readKeyringFile(path)
    if (first === null) throw new KeyringFileError(`the keyring file ${path} vanished while it was being created`)
    return first.material
  }
}

/** A link is durable only when its folder is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function printKeyring(material: KeyMaterial): string {
  const sets = KEY_PURPOSES.map((purpose) => {
    const { active, keys } = material[purpose]
    return [purpose, { active, keys: Object.fromEntries([...keys].map(([id, key]) => [id, key.toString('base64')])) }]
  })
  return `${JSON.stringify({ format: FORMAT, ...Object.fromEntries(sets) }, null, 2)}\n`
}

function parseKeyring(text: string, path: string): KeyMaterial {
  const broken = (problem: string) => new KeyringFileError(`the keyring file ${path} is broken: ${problem}`)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The parser's message quotes the text, which holds keys.
    throw broken('it is not JSON')
  }
  if (!isRecord(document)) throw broken('it is not a JSON object')
  const { format, ...sets } = document
  if (format !== FORMAT) throw broken(`"format" should be ${JSON.stringify(FORMAT)}`)
  const unknown = Object.keys(sets).find((name) => !KEY_PURPOSES.some((purpose) => purpose === name))
  if (unknown !== undefined) throw broken(`${JSON.stringify(unknown)} is not a purpose of keys`)
  const keySet = (purpose: KeyPurpose): KeySet => {
    const set = sets[purpose]
    if (!isRecord(set) || !isRecord(set['keys'])) throw broken(`"${purpose}" should hold "active" and "keys"`)
    const keys = new Map<KeyId, Buffer>()
    for (const [id, value] of Object.entries(set['keys'])) {
      if (!KEY_ID.test(id)) throw broken(`a key id of "${purpose}" is not 1 to 64 of [A-Za-z0-9._-]`)
      if (typeof value !== 'string' || !BASE64.test(value)) {
        throw broken(`the ${purpose} key ${id} is not ${KEY_BYTES} bytes in base64`)
      }
      keys.set(keyId(id), Buffer.from(value, 'base64'))
    }
    const active = set['active']
    if (typeof active !== 'string' || !keys.has(keyId(active))) {
      throw broken(`"active" of "${purpose}" names no key of its "keys"`)
    }
    return { active: keyId(active), keys }
  }
  return { pepper: keySet('pepper'), audit: keySet('audit') }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
