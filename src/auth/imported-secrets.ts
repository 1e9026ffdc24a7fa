import { backgroundContext, type Logger } from '../context.ts'
import { importedHashMatches } from '../crypto/imported-hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { ClientSecret } from '../domain/client.ts'
import type { ClientId, EpochMs, SecretId } from '../domain/ids.ts'
import type { Backend } from '../stores/contract/backend.ts'

/** Of the process: each takes a core for up to some 0.3 s, and a process has work for the others. */
const MAX_AT_ONCE = 2
const MAX_WAITING = 32
const MAX_WAITING_OF_CLIENT = 4
/** Of one client from one address, so that a guesser leaves places to the owner. */
const MAX_WAITING_OF_PAIR = 2

/** A secret that was shown for a client, beside what another server made of those that are the client's. */
export interface ImportedAttempt {
  readonly clientId: ClientId
  /** Whose address it is, as limits tell addresses apart. */
  readonly peer: string
  readonly presented: string
  /** The client's valid secrets with an imported hash. */
  readonly secrets: readonly ClientSecret[]
  /** When its caller stops waiting. */
  readonly deadline: EpochMs | null
}

/** Which of the secrets it is; `null`: none. `busy`: nothing was verified, for too many wait. */
export type ImportedMatch = SecretId | 'busy' | null

interface Verification extends ImportedAttempt {
  readonly answer: Promise<ImportedMatch>
  readonly resolve: (match: ImportedMatch) => void
  readonly reject: (error: unknown) => void
}

/**
 * Verifies secrets that another server hashed, which takes a million times as long as
 * one that was hashed here: one at a time for each client, few in all, and each but
 * once, for the hash is then replaced. Who comes from an address of which nothing is being
 * verified comes first, so that nobody waits for all that another address sends.
 */
export class ImportedSecrets {
  readonly #backend: Pick<Backend, 'transaction'>
  readonly #keyring: Keyring
  readonly #log: Logger
  /** In the order in which they came. */
  readonly #waiting: Verification[] = []
  readonly #running = new Map<ClientId, Verification>()

  constructor(backend: Pick<Backend, 'transaction'>, keyring: Keyring, log: Logger) {
    this.#backend = backend
    this.#keyring = keyring
    this.#log = log
  }

  /** Whether the same secret is being verified, so that `match` costs nothing. */
  isUnderWay(attempt: ImportedAttempt): boolean {
    return this.#same(attempt) !== undefined
  }

  /** Calls that show the same secret share what comes of it. */
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
      // Nobody waits for the answer any more.
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

  /** The client is proved whether that can be stored or not; if it cannot, the next time is as slow. */
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
