import { backgroundContext, type Logger } from '../context.ts'
import { importedHashMatches } from '../crypto/imported-hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { ClientSecret } from '../domain/client.ts'
import type { ClientId, EpochMs, SecretId } from '../domain/ids.ts'
import type { Backend } from '../stores/contract/backend.ts'

/**
 * The limit for the process. Each verification takes a core for up to some 0.3 s, and other work needs the remaining
 * ones.
 */
const MAX_AT_ONCE = 2
const MAX_WAITING = 32
const MAX_WAITING_OF_CLIENT = 4
/** The limit for one client from one address, so that a guesser leaves places for the owner of the secret. */
const MAX_WAITING_OF_PAIR = 2

/** A presented secret of a client, with the client's secrets that another server hashed. */
export interface ImportedAttempt {
  readonly clientId: ClientId
  /** The address, in the form that limits use. */
  readonly peer: string
  readonly presented: string
  /** The client's valid secrets with an imported hash. */
  readonly secrets: readonly ClientSecret[]
  /** The deadline of the call. */
  readonly deadline: EpochMs | null
}

/** The secret that matches. `null`: none. `busy`: it was not verified, because too many verifications wait. */
export type ImportedMatch = SecretId | 'busy' | null

interface Verification extends ImportedAttempt {
  readonly answer: Promise<ImportedMatch>
  readonly resolve: (match: ImportedMatch) => void
  readonly reject: (error: unknown) => void
}

/**
 * Verifies secrets that another server hashed. This takes a million times as long as for a secret that was hashed here.
 * Each client has one verification at a time, and there are few in all. Each secret is verified this way only once,
 * because its hash is then replaced. An address without a running verification has priority, so that no caller waits
 * for all attempts of another address.
 */
export class ImportedSecrets {
  readonly #backend: Pick<Backend, 'transaction'>
  readonly #keyring: Keyring
  readonly #log: Logger
  /** In order of arrival. */
  readonly #waiting: Verification[] = []
  readonly #running = new Map<ClientId, Verification>()

  constructor(backend: Pick<Backend, 'transaction'>, keyring: Keyring, log: Logger) {
    this.#backend = backend
    this.#keyring = keyring
    this.#log = log
  }

  /** Whether the same secret is being verified already, so that `match` costs nothing. */
  isUnderWay(attempt: ImportedAttempt): boolean {
    return this.#same(attempt) !== undefined
  }

  /** Calls that present the same secret share the result. */
  match(attempt: ImportedAttempt): Promise<ImportedMatch> {
    const same = this.#same(attempt)
    if (same !== undefined) return same.answer
    const ofClient = this.#waiting.filter(({ clientId }) => clientId === attempt.clientId)
    const ofPair = ofClient.filter(({ peer }) => peer === attempt.peer)
    const isFull =
      this.#waiting.length >= MAX_WAITING ||
      ofClient.length >= MAX_WAITING_OF_CLIENT ||
      ofPair.length >= MAX_WAITING_OF_PAIR
    if (isFull) return Promise.resolve('busy')
    const { promise: answer, resolve, reject } = Promise.withResolvers<ImportedMatch>()
    this.#waiting.push({ ...attempt, answer, resolve, reject })
    this.#startNext()
    return answer
  }

  #same({ clientId, presented }: ImportedAttempt): Verification | undefined {
    return [...this.#running.values(), ...this.#waiting].find(
      (each) => each.clientId === clientId && each.presented === presented,
    )
  }

  #startNext(): void {
    while (this.#running.size < MAX_AT_ONCE) {
      const next = this.#next()
      if (next === undefined) return
      this.#waiting.splice(this.#waiting.indexOf(next), 1)
      // The caller no longer waits for the answer.
      if (next.deadline !== null && next.deadline <= Date.now()) next.resolve('busy')
      else void this.#run(next)
    }
  }

  #next(): Verification | undefined {
    const busyPeers = new Set([...this.#running.values()].map(({ peer }) => peer))
    const startable = this.#waiting.filter(({ clientId }) => !this.#running.has(clientId))
    return startable.find(({ peer }) => !busyPeers.has(peer)) ?? startable[0]
  }

  async #run(verification: Verification): Promise<void> {
    const { clientId, presented, secrets, resolve, reject } = verification
    this.#running.set(clientId, verification)
    try {
      const found = await firstMatch(presented, secrets)
      if (found !== null) await this.#rehash(found, presented)
      resolve(found?.secretId ?? null)
    } catch (error) {
      reject(error)
    } finally {
      this.#running.delete(clientId)
      this.#startNext()
    }
  }

  /**
   * The client is authenticated even if the new hash cannot be stored. In that case the next verification is slow
   * again.
   */
  async #rehash({ secretId, importedHash }: ImportedSecret, presented: string): Promise<void> {
    const ctx = backgroundContext('imported-secrets', this.#log)
    const rehashed = { secretId, keyId: this.#keyring.active('pepper'), hash: this.#keyring.hashSecret(presented) }
    try {
      await this.#backend.transaction(ctx, async (stores) => {
        const commit = await stores.clientSecrets.rehash(rehashed, importedHash)
        return { commit, value: null }
      })
    } catch (error) {
      this.#log.warn(
        { err: error },
        'the imported hash of a client secret could not be replaced; retrying at its next use',
      )
    }
  }
}

type ImportedSecret = ClientSecret & { readonly importedHash: string }

async function firstMatch(presented: string, secrets: readonly ClientSecret[]): Promise<ImportedSecret | null> {
  for (const secret of secrets) {
    const { importedHash } = secret
    if (importedHash !== null && (await importedHashMatches(presented, importedHash)))
      return { ...secret, importedHash }
  }
  return null
}
