import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyMaterial } from './keyring.ts'
import { codeOf, readKeyringFile, syncFolder } from './keyring-file.ts'
import { KeyringFileError, printKeyring } from './keyring-format.ts'
import { randomBytes } from './random.ts'

const LOCK_PATIENCE_MS = 10_000
const LOCK_ASK_EVERY_MS = 50

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
