import { hash } from 'node:crypto'
import type { CallContext } from '../context.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { Logger } from '../logger.ts'
import type { AssertionUse } from '../stores/contract/assertion-ids.ts'
import type { Backend } from '../stores/contract/backend.ts'

/** An assertion that proved what it says, and may be used once. */
export interface SingleUse {
  /** Who made it: the same id of another is another. */
  readonly madeBy: { readonly kind: 'client' | 'issuer'; readonly name: string }
  readonly jti: string
  readonly expiresAt: EpochMs
}

/** `overloaded`: too many wait; nothing was written. */
export type Consumption = 'first' | 'used' | 'overloaded'

interface Waiting {
  readonly use: AssertionUse
  readonly settle: (consumption: Consumption) => void
  readonly failed: (error: unknown) => void
}

const LARGEST_BATCH = 128
const MOST_WAITING = 10_000
const MAX_ATTEMPTS = 8

/**
 * Spends assertions, across all instances: the insert of an id decides. The ids
 * of concurrent calls share a transaction, apart from the lanes of tokens, so
 * that neither many assertions nor replays of one make other calls wait.
 */
export class JtiReplayGuard {
  readonly #backend: Pick<Backend, 'transaction'>
  readonly #log: Logger
  #waiting: Waiting[] = []
  #running = false

  constructor(backend: Pick<Backend, 'transaction'>, log: Logger) {
    this.#backend = backend
    this.#log = log
  }

  /** Of any number of concurrent calls with one assertion, exactly one is `first`. Throws `StoreError`. */
  async consume(ctx: Pick<CallContext, 'now'>, { madeBy, jti, expiresAt }: SingleUse): Promise<Consumption> {
    if (this.#waiting.length >= MOST_WAITING) return 'overloaded'
    const use: AssertionUse = {
      hash: hash('sha256', JSON.stringify([madeBy.kind, madeBy.name, jti]), 'buffer'),
      useId: uuidV7(),
      expiresAt,
      usedAt: ctx.now,
      by: madeBy.name.slice(0, LONGEST_NAME),
    }
    const { promise, resolve, reject } = Promise.withResolvers<Consumption>()
    this.#waiting.push({ use, settle: resolve, failed: reject })
    if (!this.#running) void this.#run()
    return await promise
  }

  /** One batch at a time; those that come meanwhile make up the next. */
  async #run(): Promise<void> {
    this.#running = true
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, LARGEST_BATCH)
      try {
        const stored = await this.#store(firstOfEach(batch))
        for (const { use, settle } of batch) settle(stored.has(use.useId) ? 'first' : 'used')
      } catch (error) {
        for (const { failed } of batch) failed(error)
      }
    }
    this.#running = false
  }

  /** The uses that are stored now; others were first with the rest. */
  async #store(uses: readonly AssertionUse[]): Promise<ReadonlySet<string>> {
    const ctx = { rayId: 'assertion-ids', now: nowOf(uses), log: this.#log, deadline: null, signal: NEVER }
    for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts += 1) {
      const stored = await this.#backend.transaction<ReadonlySet<string> | null>(ctx, async (stores) => {
        const known = await stores.assertionIds.find(
          ctx,
          uses.map((use) => use.hash),
        )
        // A commit that went through unnoticed is tried again, and finds itself.
        const holders = new Map(known.map((each) => [each.hash.toString('hex'), each.useId]))
        const fresh = uses.filter((use) => !holders.has(use.hash.toString('hex')))
        if (!(await stores.assertionIds.insert(fresh))) return { commit: false, value: null }
        return { commit: fresh.length > 0, value: new Set([...holders.values(), ...fresh.map((use) => use.useId)]) }
      })
      if (stored !== null) return stored
    }
    throw new Error('assertions could not be stored: others kept being first')
  }
}

/** What `created_by` holds. */
const LONGEST_NAME = 191
const NEVER = new AbortController().signal

/** In one order for everyone, so that two instances cannot wait for each other. */
function firstOfEach(batch: readonly Waiting[]): readonly AssertionUse[] {
  const first = new Map<string, AssertionUse>()
  for (const { use } of batch) {
    const key = use.hash.toString('hex')
    if (!first.has(key)) first.set(key, use)
  }
  return [...first.keys()].sort().flatMap((key) => first.get(key) ?? [])
}

function nowOf([first]: readonly AssertionUse[]): EpochMs {
  return first?.usedAt ?? (0 as EpochMs)
}
