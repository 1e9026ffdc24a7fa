import type { AuditEvent } from '../../domain/audit-event.ts'
import { type EpochMs, later, type Milliseconds } from '../../domain/ids.ts'
import { countScopes } from '../../domain/usage.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { AuditProjection } from '../jobs/audit-follower.ts'

/** Counts the scopes that clients request and are granted. */
export class UsageProjection implements AuditProjection {
  readonly name = 'usage'
  readonly #now: () => EpochMs
  readonly #retention: Milliseconds

  /** `retention`: how long counts are kept. */
  constructor(now: () => EpochMs, retention: Milliseconds) {
    this.#now = now
    this.#retention = retention
  }

  async write({ usage }: TransactionStores, events: readonly AuditEvent[]): Promise<void> {
    const at = this.#now()
    await usage.add(countScopes(events), { at, forgetAt: later(at, this.#retention) })
  }
}
