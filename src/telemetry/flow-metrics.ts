import type { AuthenticationObserver } from '../auth/authentication-failures.ts'
import { GRANT_TYPES, type GrantType } from '../domain/client.ts'
import type { FlowObserver } from '../flows/runner.ts'
import { type Count, Counter, type Metric } from './metric.ts'

/** Counts the effects of flows: tokens, lost races, and audit events that could not be written. */
export class FlowMetrics implements FlowObserver, AuthenticationObserver {
  readonly #tokens = new Counter({
    name: 'qscope_tokens_issued_total',
    help: 'Access tokens that were issued and committed. A repeated answer to a refresh issues none.',
    labels: ['grant'],
  })
  readonly #issued = this.#tokens.seriesOf(GRANT_TYPES, (grant) => ({ grant }))
  readonly #races = new Counter({
    name: 'qscope_lost_races_total',
    help: 'How often a flow lost a race against another call and was evaluated again.',
    labels: ['flow'],
  })
  readonly #lost = new Map<string, Count>()
  readonly #unwritten = new Counter({
    name: 'qscope_audit_write_failures_total',
    help: 'Audit events of failed authentications that could not be written. All other events are committed together with what they record.',
    labels: [],
  })
  readonly #failed = this.#unwritten.series({})

  readonly metrics: readonly Metric[] = [this.#tokens, this.#races, this.#unwritten]

  tokensIssued(grant: GrantType, count: number): void {
    this.#issued[grant].value += count
  }

  raceLost(flow: string): void {
    let count = this.#lost.get(flow)
    if (count === undefined) {
      count = this.#races.series({ flow })
      this.#lost.set(flow, count)
    }
    count.value += 1
  }

  auditWriteFailed(): void {
    this.#failed.value += 1
  }
}
