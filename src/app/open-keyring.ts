import type { Config } from '../config/config.ts'
import { drawKeyMaterial, KEY_PURPOSES, type KeyPurpose, Keyring } from '../crypto/keyring.ts'
import { createKeyringFile, readKeyringFile } from '../crypto/keyring-file.ts'
import { KeyringFileError } from '../crypto/keyring-format.ts'
import type { KeyId } from '../domain/ids.ts'
import type { Logger } from '../logger.ts'
import type { Backend } from '../stores/contract/backend.ts'
import type { StoreContext } from '../stores/contract/context.ts'

export type KeyReferences = Readonly<Record<KeyPurpose, readonly KeyId[]>>

/** Those of a database that is still empty. */
export const NO_REFERENCES: KeyReferences = Object.freeze({ pepper: [], audit: [], encryption: [] })

/**
 * What becomes of a keyring file that is missing: it is created, for what is
 * about to be written; or the keys live in memory, for who only reads what no key
 * was needed for.
 */
export type MissingKeyring = 'create' | 'provisional'

/**
 * The keyring of the configuration. A file that is missing is done without only
 * if the database, asked through `references`, needs no key yet: another key
 * would leave every client with a secret that no longer works.
 */
export async function openKeyring(
  config: Config,
  log: Logger,
  references: (provisional: Keyring) => Promise<KeyReferences>,
  missing: MissingKeyring = 'create',
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
  if (missing === 'provisional') return new Keyring(material)
  const keyring = new Keyring(createKeyringFile(path, material))
  log.info({ path }, 'keyring file created; keep a copy of it, apart from the database')
  return keyring
}

/** The keyring of the configuration as it is; throws `KeyringFileError` if there is none. */
export function openKeyringFile({ keyringFile }: Config): Keyring {
  const file = keyringFile === null ? null : readKeyringFile(keyringFile)
  if (file === null) {
    const remedy = 'qscope serve and qscope keyring create make one, and QSCOPE_KEYRING_FILE names another'
    throw new KeyringFileError(
      keyringFile === null ? 'QSCOPE_KEYRING_FILE is not set' : `there is no keyring file ${keyringFile}: ${remedy}`,
    )
  }
  return new Keyring(file.material)
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

/** The keys that secrets, pending user codes, the audit log and the stored signing keys were made with. */
export async function keyReferences(backend: Backend, ctx: StoreContext): Promise<KeyReferences> {
  const [secrets, userCodes, audit, encryption] = await Promise.all([
    backend.reads.clientSecrets.keyIds(ctx),
    backend.reads.deviceAuthorizations.keyIds(ctx),
    backend.reads.auditLog.keyIds(ctx),
    backend.reads.signingKeys.keyIds(ctx),
  ])
  return { pepper: [...new Set([...secrets, ...userCodes])], audit, encryption }
}
