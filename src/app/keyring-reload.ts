import { statSync } from 'node:fs'
import { KEY_PURPOSES, type Keyring } from '../crypto/keyring.ts'
import { codeOf, readKeyringFile } from '../crypto/keyring-file.ts'
import { mergedMaterial } from '../crypto/keyring-rotation.ts'
import type { Logger } from '../logger.ts'

/** How soon a running server has a key that was added to its file; `keyring rotate` waits longer than that. */
export const RELOAD_EVERY_MS = 2_000

/** A keyring that takes up what changes in its file. */
export interface FollowedKeyring {
  /** Reads the file now, whether it seems to have changed or not. */
  reload(): void
  stop(): void
}

/**
 * Lets a running server take up what changes in its keyring file. What cannot be
 * used is logged and left alone: the keys stay as they were.
 */
export function followKeyringFile(path: string | null, keyring: Keyring, log: Logger): FollowedKeyring {
  if (path === null) return { reload: () => undefined, stop: () => undefined }
  let seen = stampOf(path)
  const look = () => {
    if (stampOf(path) !== seen) reload()
  }
  const reload = () => {
    seen = stampOf(path)
    try {
      const file = readKeyringFile(path)
      if (file === null) throw new Error(`the keyring file ${path} is gone`)
      if (file.warning !== null) log.warn({}, file.warning)
      keyring.change((before) => mergedMaterial(before, file.material))
      const active = Object.fromEntries(KEY_PURPOSES.map((purpose) => [purpose, keyring.active(purpose)]))
      log.info({ path, active }, 'keyring file read again')
    } catch (error) {
      log.error({ err: error }, 'the keyring file changed and cannot be used: the keys stay as they were')
    }
  }
  const timer = setInterval(look, RELOAD_EVERY_MS).unref()
  return { reload, stop: () => clearInterval(timer) }
}

/** Changes when the file is written or replaced. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return [ino, size, mtimeMs].join()
  } catch (error) {
    return codeOf(error)
  }
}
