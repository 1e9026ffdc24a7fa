import type { Config } from '../config/config.ts'
import { drawKeyMaterial, KEY_PURPOSES, type KeyPurpose, Keyring } from '../crypto/keyring.ts'
import { createKeyringFile, KeyringFileError, readKeyringFile } from '../crypto/keyring-file.ts'
import type { KeyId } from '../domain/ids.ts'
import type { Logger } from '../logger.ts'
import type { Backend, StoreContext } from '../stores/contract.ts'

export type KeyReferences = Readonly<Record<KeyPurpose, readonly KeyId[]>>

/**
 * The keyring of the configuration. A file that is missing is created, but only
 * if the database, asked through `references`, needs no key yet: another key
 * would leave every client with a secret that no longer works.
 */
export async function openKeyring(
  config: Config,
  log: Logger,
  references: (provisional: Keyring) => Promise<KeyReferences>,
): Promise<Keyring> {
  const path = config.keyringFile
  if (path === null) return new Keyring(drawKeyMaterial())
  const file = readKeyringFile(path)
  if (file !== null) {
    if (file.warning !== null) log.warn({}, file.warning)
    return new Keyring(file.material)
  }
  const material = drawKeyMaterial()
  const needed = await references(new Keyring(material))
  for (const purpose of KEY_PURPOSES) {
    const [id] = needed[purpose]
    if (id !== undefined) {
      throw new KeyringFileError(
        `the keyring file ${path} does not exist, but the database refers to the ${purpose} key ${id}; restore the file or correct QSCOPE_KEYRING_FILE`,
      )
    }
  }
  const keyring = new Keyring(createKeyringFile(path, material))
  log.info({ path }, 'keyring file created; keep a copy of it, apart from the database')
  return keyring
}

/** Throws `KeyringFileError` naming the first key that the database refers to and the keyring lacks. */
export function insistOnKeys(keyring: Keyring, needed: KeyReferences, config: Config): void {
  for (const purpose of KEY_PURPOSES) {
    const lacking = needed[purpose].find((id) => !keyring.has(purpose, id))
    if (lacking !== undefined) {
      throw new KeyringFileError(
        `the database refers to the ${purpose} key ${lacking}, which the keyring file ${config.keyringFile ?? '(in memory)'} lacks; restore the key or correct QSCOPE_KEYRING_FILE`,
      )
    }
  }
}

/** The keys that secrets and the audit log were made with. */
export async function keyReferences(backend: Backend, ctx: StoreContext): Promise<KeyReferences> {
  const [pepper, audit] = await Promise.all([
    backend.reads.clientSecrets.keyIds(ctx),
    backend.reads.auditLog.keyIds(ctx),
  ])
  return { pepper, audit }
}
