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
import { makeDirectories } from '../make-directories.ts'
import type { KeyMaterial } from './keyring.ts'
import { KeyringFileError, parseKeyring, printKeyring } from './keyring-format.ts'
import { randomBytes } from './random.ts'

const OPEN_TO_OTHERS = 0o077
const LOCK_PATIENCE_MS = 10_000
const LOCK_ASK_EVERY_MS = 50

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
    makeDirectories(dirname(path))
    const file = openSync(temporary, 'wx', 0o600)
    // Also what could not be written whole holds keys.
    try {
      try {
        // A umask may have taken the owner's rights, too.
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
    if (first === null) throw new KeyringFileError(`the keyring file ${path} vanished while it was being created`)
    return first.material
  }
}

/**
 * Replaces a keyring file, whole or not at all, with what `change` makes of it;
 * owner and permissions stay. Of any number of processes that change it at
 * once, each sees what the one before it wrote. Returns what the file holds.
 */
export async function changeKeyringFile(
  path: string,
  change: (material: KeyMaterial) => KeyMaterial,
): Promise<KeyMaterial> {
  const target = realPath(path)
  const lock = `${target}.lock`
  await take(lock)
  try {
    const file = readKeyringFile(target)
    if (file === null) throw missing(path)
    const material = change(file.material)
    replace(target, printKeyring(material))
    return material
  } finally {
    unlinkSync(lock)
  }
}

/** A link is followed, so that it still is one afterwards. */
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
        throw new KeyringFileError(`another command changes the keyring file; if none runs any more, remove ${lock}`)
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
      `the keyring file ${target} cannot be replaced (${codeOf(error)}); it is as it was`,
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
  return new KeyringFileError(`there is no keyring file ${path}: make one with qscope keyring create`)
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

/** Such as `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
