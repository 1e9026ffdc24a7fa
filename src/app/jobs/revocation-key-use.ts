import { performance } from 'node:perf_hooks'
import { backgroundContext, type Logger } from '../../context.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { KeyId } from '../../domain/ids.ts'
import { FACT_OUTLIVED } from '../../domain/revocation.ts'
import type { Backend } from '../../stores/contract/backend.ts'

const NOTE_AFTER_MS = 60_000

/**
 * Notes in the database under which key of the keyring this process issues tokens, so
 * that nobody takes the key out of a keyring while one of them may live; and says when
 * others issue under a key that is not here, for then what is revoked here is not told
 * to those who hold their tokens.
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

  /** Notes it, once a minute and whenever it is another one. Throws what failed. */
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
    if (missing === '') this.#log.info({}, 'the keyring has every revocation key that tokens are issued under')
    else
      this.#log.error(
        { missing },
        `other instances issue tokens under the revocation key ${missing}, which this keyring lacks: what is revoked here is not told to verifiers of such a token; give this instance the same keyring file`,
      )
  }
}
