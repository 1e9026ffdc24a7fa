import { statSync } from 'node:fs'
import type { Logger } from '../context.ts'
import { KEY_PURPOSES, type Keyring } from '../crypto/keyring.ts'
import { codeOf, readKeyringFile } from '../crypto/keyring-file.ts'
import { mergedMaterial } from '../crypto/keyring-rotation.ts'

/** How soon a running server has a key that was added to its file; `keyring rotate` waits longer than that. */
export const RELOAD_INTERVAL_MS = 2_000

/**
 * Lets a running server take up what changes in its keyring file. What cannot be
 * used is logged and left alone: the keys stay as they were.
 */
export class KeyringWatcher {
  readonly #path: string | null
  readonly #keyring: Keyring
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout | undefined
  /** Of the file, when it was read last. */
  #stamp: string

  /** `path`: `null` if the keyring is in memory, which nobody changes. */
  constructor(path: string | null, keyring: Keyring, log: Logger) {
    this.#path = path
    this.#keyring = keyring
    this.#log = log
    this.#stamp = path === null ? '' : stampOf(path)
    this.#timer = path === null ? undefined : setInterval(() => this.#reloadIfChanged(path), RELOAD_INTERVAL_MS).unref()
  }

  /** Reads the file now, whether it seems to have changed or not. */
  reload(): void {
    const path = this.#path
    if (path === null) return
    this.#stamp = stampOf(path)
    try {
      const file = readKeyringFile(path)
      if (file === null) throw new Error(`the keyring file ${path} is gone`)
      if (file.warning !== null) this.#log.warn({}, file.warning)
      this.#keyring.change((before) => mergedMaterial(before, file.material))
      const active = Object.fromEntries(KEY_PURPOSES.map((purpose) => [purpose, this.#keyring.active(purpose)]))
      this.#log.info({ path, active }, 'keyring file read again')
    } catch (error) {
      this.#log.error({ err: error }, 'the keyring file changed and cannot be used: the keys stay as they were')
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #reloadIfChanged(path: string): void {
    if (stampOf(path) !== this.#stamp) this.reload()
  }
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
