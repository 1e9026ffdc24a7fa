import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EpochMs, epochMs, type KeyId, keyId } from '../domain/ids.ts'
import { isObject } from '../json-object.ts'
import { makeDirectories } from '../make-directories.ts'
import { drawKeySet, KEY_PURPOSES, type KeyMaterial, type KeyPurpose, type KeySet, keyMaterialOf } from './keyring.ts'
import { randomBytes } from './random.ts'

const FORMAT = 'qscope-keyring/1'
/** Purposes for which the files of older versions have no keys. */
const ADDED_LATER: readonly KeyPurpose[] = Object.freeze(['revocation'])
const KEY_BYTES = 32
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
const BASE64 = /^[A-Za-z0-9+/]{43}=$/

/** A keyring file that cannot be used. The message is one line and states the remedy. */
export class KeyringFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'KeyringFileError'
  }
}

/** Formats a keyring file. */
function printKeyring(material: KeyMaterial): string {
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

/** Provides the keys of a purpose that a file of an older version lacks. */
type IfPurposeLacks = (purpose: KeyPurpose) => KeySet

/** Throws `KeyringFileError`, which never quotes a key. */
function parseKeyring(text: string, path: string, ifLacking?: IfPurposeLacks): KeyMaterial {
  const broken = (problem: string) => new KeyringFileError(`the keyring file ${path} is broken: ${problem}`)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The parser's message would quote the text, which contains keys.
    throw broken('it is not JSON')
  }
  if (!isObject(document)) throw broken('it is not a JSON object')
  const { format, ...sets } = document
  if (format !== FORMAT) throw broken(`"format" should be ${JSON.stringify(FORMAT)}`)
  const unknown = Object.keys(sets).find((name) => !KEY_PURPOSES.some((purpose) => purpose === name))
  if (unknown !== undefined) throw broken(`${JSON.stringify(unknown)} is not a purpose of keys`)
  const keySet = (purpose: KeyPurpose): KeySet => {
    const set = sets[purpose]
    if (set === undefined && ADDED_LATER.includes(purpose)) {
      if (ifLacking !== undefined) return ifLacking(purpose)
      throw new KeyringFileError(
        `the keyring file ${path} has no ${purpose} key, which this version requires: run qscope keyring complete, then distribute the file to all instances`,
      )
    }
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

const OPEN_TO_OTHERS = 0o077
const LOCK_PATIENCE_MS = 10_000
const LOCK_ASK_EVERY_MS = 50

export interface KeyringFile {
  readonly material: KeyMaterial
  /** One line if others may read the file. Otherwise `null`. */
  readonly warning: string | null
}

/**
 * Reads a keyring file. `null`: there is none. Throws `KeyringFileError` if it cannot be used. A file of an older version
 * that lacks a purpose can be used only with `ifLacking`.
 */
export function readKeyringFile(path: string, ifLacking?: IfPurposeLacks): KeyringFile | null {
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
    material: parseKeyring(text, path, ifLacking),
    warning: open ? `the keyring file ${path} is open to other users; run: chmod 600 ${path}` : null,
  }
}

/**
 * Creates a keyring file that only its owner can read, and returns its content. The file is created atomically. If several
 * processes create it at once, one of them writes it and the others read its keys.
 */
export function createKeyringFile(path: string, material: KeyMaterial): KeyMaterial {
  const temporary = join(dirname(path), `.keyring-${randomBytes(8).toString('hex')}.tmp`)
  try {
    makeDirectories(dirname(path))
    const file = openSync(temporary, 'wx', 0o600)
    // An incomplete file contains keys, too.
    try {
      try {
        // A umask may have removed the owner's rights, too.
        fchmodSync(file, 0o600)
        writeFileSync(file, printKeyring(material))
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
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
    if (first === null) throw new KeyringFileError(`the keyring file ${path} was removed while it was being created`)
    return first.material
  }
}

/**
 * Replaces a keyring file atomically with the result of `change`. Owner and permissions stay. Concurrent changes run one
 * after another, each on the result of the previous one. Returns the new content.
 */
export async function changeKeyringFile(
  path: string,
  change: (material: KeyMaterial) => KeyMaterial,
  ifLacking?: IfPurposeLacks,
): Promise<KeyMaterial> {
  const target = realPath(path)
  const lock = `${target}.lock`
  await take(lock)
  try {
    const file = readKeyringFile(target, ifLacking)
    if (file === null) throw missing(path)
    const material = change(file.material)
    replace(target, printKeyring(material))
    return material
  } finally {
    unlinkSync(lock)
  }
}

/**
 * Generates a key for each purpose that a file of an older version lacks. Returns those purposes. Empty: the file is
 * unchanged. Of any number of concurrent processes, one writes the keys.
 */
export async function completeKeyringFile(path: string): Promise<readonly KeyPurpose[]> {
  const lacking: KeyPurpose[] = []
  readKeyringFile(path, (purpose) => {
    lacking.push(purpose)
    return drawKeySet(purpose)
  })
  if (lacking.length === 0) return lacking
  const added: KeyPurpose[] = []
  const draw = (purpose: KeyPurpose) => {
    added.push(purpose)
    return drawKeySet(purpose)
  }
  await changeKeyringFile(path, (material) => material, draw)
  return added
}

/** Resolves symbolic links, so that replacing the file does not replace a link. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw missing(path)
    throw new KeyringFileError(`the keyring file ${path} cannot be read (${codeOf(error)})`, error)
  }
}

async function take(lock: string): Promise<void> {
  for (const until = Date.now() + LOCK_PATIENCE_MS; ; await sleep(LOCK_ASK_EVERY_MS)) {
    try {
      closeSync(openSync(lock, 'wx', 0o600))
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        throw new KeyringFileError(
          `the keyring file cannot be changed: ${lock} cannot be written (${codeOf(error)})`,
          error,
        )
      }
      if (Date.now() > until) {
        throw new KeyringFileError(
          `another command is changing the keyring file; if no such command is running, remove ${lock}`,
        )
      }
    }
  }
}

function replace(target: string, text: string): void {
  const temporary = join(dirname(target), `.keyring-${randomBytes(8).toString('hex')}.tmp`)
  try {
    const { mode, uid, gid } = statSync(target)
    const file = openSync(temporary, 'wx', 0o600)
    try {
      const own = statSync(temporary)
      if (own.uid !== uid || own.gid !== gid) fchownSync(file, uid, gid)
      fchmodSync(file, mode & 0o777)
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, target)
    syncFolder(dirname(target))
  } catch (error) {
    remove(temporary)
    throw new KeyringFileError(
      `the keyring file ${target} cannot be replaced (${codeOf(error)}); it is unchanged`,
      error,
    )
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function missing(path: string): KeyringFileError {
  return new KeyringFileError(`the keyring file ${path} does not exist: create it with qscope keyring create`)
}

/** A new file name is durable only after its directory was synchronized. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** The code of a system error, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
