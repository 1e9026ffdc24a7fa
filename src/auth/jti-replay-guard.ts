import { MicroBatcher } from '../batching.ts'
import { backgroundContext, type CallContext, type Logger } from '../context.ts'
import { sha256 } from '../crypto/digest.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { AssertionUse } from '../stores/contract/assertion-ids.ts'
import type { Backend } from '../stores/contract/backend.ts'

/** A verified assertion that may be used once. */
export interface SingleUse {
  /** The party that made it. Ids of different parties are independent. */
  readonly madeBy: { readonly kind: 'client' | 'issuer'; readonly name: string }
  readonly jti: string
  readonly expiresAt: EpochMs
}

/** `overloaded`: too many uses wait, and nothing was written. */
export type Consumption = 'first' | 'used' | 'overloaded'

const MAX_BATCH_SIZE = 128
const MAX_WAITING = 10_000
const MAX_ATTEMPTS = 8
/** The maximum length of `created_by`. */
const LONGEST_NAME = 191

/**
 * Consumes assertions, across all instances: the insert of an id decides. The ids of concurrent calls share a
 * transaction. It is separate from those of tokens, so neither many assertions nor replays of one delay other calls.
 */
export class JtiReplayGuard {
  readonly #backend: Pick<Backend, 'transaction'>
  readonly #log: Logger
  readonly #batches: MicroBatcher<AssertionUse, Consumption>

  constructor(backend: Pick<Backend, 'transaction'>, log: Logger) {
    this.#backend = backend
    this.#log = log
    this.#batches = new MicroBatcher<AssertionUse, Consumption>({
      send: async (uses) => {
        const stored = await this.#store(firstOfEach(uses))
        return ({ useId }) => (stored.has(useId) ? 'first' : 'used')
      },
      schedule: (sendNow) => void setImmediate(sendNow),
      maxBatchSize: MAX_BATCH_SIZE,
      maxWaiting: MAX_WAITING,
    })
  }

  /** Whether an assertion was used already. It is not consumed. Throws `StoreError`. */
  async wasUsed({ now }: Pick<CallContext, 'now'>, use: SingleUse): Promise<boolean> {
    const ctx = backgroundContext('assertion-ids', this.#log, now)
    return await this.#backend.transaction(ctx, async (stores) => {
      const { stored, deletedUntil } = await stores.assertionIds.find(ctx, [hashOf(use)])
      return { commit: false, value: stored.length > 0 || mayBeDeleted(use, deletedUntil) }
    })
  }

  /**
   * Consumes an assertion. Of any number of concurrent calls with one assertion, exactly one gets `first`. Throws
   * `StoreError`.
   */
  async consume({ now }: Pick<CallContext, 'now'>, single: SingleUse): Promise<Consumption> {
    const { madeBy, expiresAt } = single
    const use: AssertionUse = {
      hash: hashOf(single),
      useId: uuidV7(),
      expiresAt,
      usedAt: now,
      by: madeBy.name.slice(0, LONGEST_NAME),
    }
    return (await this.#batches.add(use)) ?? 'overloaded'
  }

  /** The ids of stored uses. An assertion with another use id was used before. */
  async #store(uses: readonly AssertionUse[]): Promise<ReadonlySet<string>> {
    const ctx = backgroundContext('assertion-ids', this.#log, uses[0]?.usedAt)
    for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts += 1) {
      const stored = await this.#backend.transaction<ReadonlySet<string> | null>(ctx, async (stores) => {
        const { stored: known, deletedUntil } = await stores.assertionIds.find(
          ctx,
          uses.map((use) => use.hash),
        )
        // A retry after an unnoticed commit finds its own rows.
        const holders = new Map(known.map((each) => [each.hash.toString('hex'), each.useId]))
        const fresh = uses.filter((use) => !holders.has(use.hash.toString('hex')) && !mayBeDeleted(use, deletedUntil))
        if (!(await stores.assertionIds.insert(fresh))) return { commit: false, value: null }
        return { commit: fresh.length > 0, value: new Set([...holders.values(), ...fresh.map((use) => use.useId)]) }
      })
      if (stored !== null) return stored
    }
    throw new Error('assertions could not be stored: concurrent calls stored theirs first each time')
  }
}

/**
 * Whether the use of an assertion may have been deleted after its end. The assertion then counts as used: it can only be
 * accepted where the clock is behind the one by which the uses were deleted.
 */
function mayBeDeleted({ expiresAt }: Pick<SingleUse, 'expiresAt'>, deletedUntil: EpochMs | null): boolean {
  return deletedUntil !== null && expiresAt <= deletedUntil
}

function hashOf({ madeBy, jti }: SingleUse): Buffer {
  return sha256(JSON.stringify([madeBy.kind, madeBy.name, jti]))
}

/** Sorted in one order, so that two instances cannot deadlock. */
function firstOfEach(uses: readonly AssertionUse[]): readonly AssertionUse[] {
  const first = new Map<string, AssertionUse>()
  for (const use of uses) {
    const key = use.hash.toString('hex')
    if (!first.has(key)) first.set(key, use)
  }
  return [...first.keys()].sort().flatMap((key) => first.get(key) ?? [])
}
