import { existsSync, statSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { backgroundContext, type Logger } from '../context.ts'
import { drawKeyMaterial, drawKeySet, KEY_PURPOSES, type KeyPurpose, Keyring } from '../crypto/keyring.ts'
import {
  codeOf,
  completeKeyringFile,
  createKeyringFile,
  KeyringFileError,
  readKeyringFile,
} from '../crypto/keyring-file.ts'
import { mergedMaterial } from '../crypto/keyring-rotation.ts'
import type { KeyId } from '../domain/ids.ts'
import { FACT_OUTLIVED } from '../domain/revocation.ts'
import type { Backend } from '../stores/contract/backend.ts'
import { openConfiguredBackend, openConfiguredMigrations } from './database.ts'

/** The keys that a database refers to. */
export type KeyReferences = Readonly<Record<KeyPurpose, readonly KeyId[]>>

const NO_REFERENCES: KeyReferences = Object.freeze({ pepper: [], audit: [], encryption: [], revocation: [] })

/**
 * The behaviour for a missing keyring file. `create`: creates it, for commands that write. `provisional`: keeps the keys in
 * memory, for commands that read only what needs no key.
 */
export type IfKeyringMissing = 'create' | 'provisional'

/**
 * Opens the configured keyring. A file of an older version that lacks a purpose is completed next to an embedded database.
 * Elsewhere it is rejected, because another instance may have a copy and would generate other keys. A missing file is allowed
 * only for a database that refers to no key yet: other keys would invalidate the secrets of all clients.
 */
export async function openKeyring(
  config: Config,
  log: Logger,
  ifMissing: IfKeyringMissing = 'create',
): Promise<Keyring> {
  const path = config.keyringFile
  if (path === null) return new Keyring(drawKeyMaterial())
  if (config.database.embedded && ifMissing === 'create' && existsSync(path)) {
    const added = await completeKeyringFile(path)
    if (added.length > 0) log.info({ path, added }, 'added missing keys to the keyring file; back it up again')
  }
  // An embedded database has one keyring file. Commands that only read do not need a key of a missing purpose.
  const file = readKeyringFile(path, config.database.embedded ? drawKeySet : undefined)
  if (file !== null) {
    if (file.warning !== null) log.warn({}, file.warning)
    return new Keyring(file.material)
  }
  const material = drawKeyMaterial()
  const needed = await databaseKeyReferences(config, log, new Keyring(material))
  for (const purpose of KEY_PURPOSES) {
    const [id] = needed[purpose]
    if (id !== undefined) {
      throw new KeyringFileError(
        `the keyring file ${path} does not exist, but the database refers to the ${purpose} key ${id}; restore the file or correct QSCOPE_KEYRING_FILE`,
      )
    }
  }
  if (ifMissing === 'provisional') return new Keyring(material)
  const keyring = new Keyring(createKeyringFile(path, material))
  log.info({ path }, 'keyring file created; back it up separately from the database')
  return keyring
}

/** The configured keyring, unchanged. Throws `KeyringFileError` if there is none. */
export function openKeyringFile({ keyringFile }: Config): Keyring {
  const file = keyringFile === null ? null : readKeyringFile(keyringFile)
  if (file === null) {
    const remedy = 'qscope serve and qscope keyring create make one, and QSCOPE_KEYRING_FILE names another'
    throw new KeyringFileError(
      keyringFile === null
        ? 'QSCOPE_KEYRING_FILE is not set'
        : `the keyring file ${keyringFile} does not exist: ${remedy}`,
    )
  }
  return new Keyring(file.material)
}

/** Throws `KeyringFileError` naming the first key that the database refers to and the keyring lacks. */
export function assertKeysPresent(keyring: Keyring, needed: KeyReferences, config: Config): void {
  for (const purpose of KEY_PURPOSES) {
    const missing = needed[purpose].find((id) => !keyring.has(purpose, id))
    if (missing !== undefined) {
      throw new KeyringFileError(
        `the database refers to the ${purpose} key ${missing}, which the keyring file ${config.keyringFile ?? '(in memory)'} lacks; restore the key or correct QSCOPE_KEYRING_FILE`,
      )
    }
  }
}

/** The keys that the configured database refers to. Empty if it has no tables or does not exist. */
export async function databaseKeyReferences(config: Config, log: Logger, keyring: Keyring): Promise<KeyReferences> {
  const { embedded, file } = config.database
  if (embedded && (file === null || !existsSync(file))) return NO_REFERENCES
  const migrations = await openConfiguredMigrations(config, log)
  try {
    if (await migrations.isEmpty()) return NO_REFERENCES
  } finally {
    await migrations.close()
  }
  const backend = await openConfiguredBackend(config, log, keyring)
  try {
    return await keyReferences(backend, log)
  } finally {
    await backend.close()
  }
}

/**
 * The keys of secrets, pending user codes, the audit log and the stored signing keys, and the keys of the revocation keys in
 * tokens that may still be live.
 */
export async function keyReferences({ reads }: Backend, log: Logger): Promise<KeyReferences> {
  const ctx = backgroundContext('key-references', log)
  const [secrets, userCodes, audit, encryption, revocation] = await Promise.all([
    reads.clientSecrets.keyIds(ctx),
    reads.deviceAuthorizations.keyIds(ctx),
    reads.auditLog.keyIds(ctx),
    reads.signingKeys.keyIds(ctx),
    reads.revocations.keyIds(ctx, FACT_OUTLIVED),
  ])
  return { pepper: [...new Set([...secrets, ...userCodes])], audit, encryption, revocation }
}

/** How soon a running server loads a key that was added to its file. `keyring rotate` waits longer. */
export const RELOAD_INTERVAL_MS = 2_000

/** Applies changes of the keyring file in a running server. An invalid file is logged, and the keys stay unchanged. */
export class KeyringWatcher {
  readonly #path: string | null
  readonly #keyring: Keyring
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout | undefined
  /** The state of the file at the last read. */
  #stamp: string

  /** `path`: `null` if the keyring is in memory, which never changes. */
  constructor(path: string | null, keyring: Keyring, log: Logger) {
    this.#path = path
    this.#keyring = keyring
    this.#log = log
    this.#stamp = path === null ? '' : stampOf(path)
    this.#timer = path === null ? undefined : setInterval(() => this.#reloadIfChanged(path), RELOAD_INTERVAL_MS).unref()
  }

  /** Reads the file now, whether or not it seems changed. */
  reload(): void {
    const path = this.#path
    if (path === null) return
    this.#stamp = stampOf(path)
    try {
      const file = readKeyringFile(path)
      if (file === null) throw new Error(`the keyring file ${path} does not exist any more`)
      if (file.warning !== null) this.#log.warn({}, file.warning)
      this.#keyring.change((before) => mergedMaterial(before, file.material))
      const active = Object.fromEntries(KEY_PURPOSES.map((purpose) => [purpose, this.#keyring.active(purpose)]))
      this.#log.info({ path, active }, 'keyring file reloaded')
    } catch (error) {
      this.#log.error({ err: error }, 'the changed keyring file cannot be used; the previous keys stay in use')
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
