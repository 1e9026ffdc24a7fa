import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { makeDirectories } from '../make-directories.ts'
import type { KeyMaterial } from './keyring.ts'
import { KeyringFileError, parseKeyring, printKeyring } from './keyring-format.ts'
import { randomBytes } from './random.ts'

const OPEN_TO_OTHERS = 0o077

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

/** A link is durable only when its folder is. */
export function syncFolder(path: string): void {
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
