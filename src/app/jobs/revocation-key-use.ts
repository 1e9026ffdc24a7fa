import { performance } from 'node:perf_hooks'
import { backgroundContext, type Logger } from '../../context.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { KeyId } from '../../domain/ids.ts'
import { FACT_OUTLIVED } from '../../domain/revocation.ts'
import type { Backend } from '../../stores/contract/backend.ts'

const NOTE_AFTER_MS = 60_000

/**
 * Stores in the database which revocation key this process issues tokens under. A key is
 * not removed from the keyring while tokens issued under it may be valid. It also logs
 * when other instances issue under a key that is missing here: this instance then cannot
 * announce the revocation of those tokens to verifiers.
 */
export class RevocationKeyUse {
  readonly #backend: Pick<Backend, 'reads' | 'maintenance'>
  readonly #keyring: Keyring
  readonly #log: Logger
  #noted: { readonly id: KeyId; readonly at: number } | null = null
  #missing = ''

  constructor(backend: Pick<Backend, 'reads' | 'maintenance'>, keyring: Keyring, log: Logger) {
    this.#backend = backend
    this.#keyring = keyring
    this.#log = log
  }

  /** Stores the key once a minute, and whenever it changes. Throws the error of a failed write. */
  async note(): Promise<void> {
    const id = this.#keyring.active('revocation')
    const at = performance.now()
    if (this.#noted?.id === id && at - this.#noted.at < NOTE_AFTER_MS) return
    await this.#backend.maintenance.noteRevocationKey(id)
    this.#noted = { id, at }
    const used = await this.#backend.reads.revocations.keyIds(
      backgroundContext('revocation-keys', this.#log),
      FACT_OUTLIVED,
    )
    this.#report(used.filter((each) => !this.#keyring.has('revocation', each)).join(', '))
  }

  #report(missing: string): void {
    if (missing === this.#missing) return
    this.#missing = missing
    if (missing === '') this.#log.info({}, 'the keyring has all revocation keys that the instances use')
    else
      this.#log.error(
        { missing },
        `other instances issue tokens with the revocation key ${missing}, which this keyring lacks: verifiers of these tokens do not learn what this instance revokes; give this instance the same keyring file`,
      )
  }
}
