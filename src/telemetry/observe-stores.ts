import type { Failure, LookUp, Over, RetryCause, SentBatch, StoreObserver } from '../stores/contract/store-observer.ts'
import type { Span, SpanFacts } from '../trace.ts'
import type { StoreMetrics } from './store-metrics.ts'

/** How OpenTelemetry's semantic conventions name databases, by the scheme of their URL. */
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['sqlite', 'sqlite'],
  ['mysql', 'mysql'],
  ['mariadb', 'mariadb'],
  ['postgres', 'postgresql'],
  ['postgresql', 'postgresql'],
])

/**
 * Measures what the stores do, and lets it appear in the traces of the calls
 * that are sampled. A batch does the work of many calls: its span is part of
 * the first one's trace, and linked with the spans of the others.
 */
export class StoreTelemetry implements StoreObserver {
  readonly #metrics: StoreMetrics
  readonly #system: SpanFacts

  constructor(metrics: StoreMetrics, databaseUrl: string) {
    const scheme = databaseUrl.slice(0, databaseUrl.indexOf(':'))
    this.#metrics = metrics
    this.#system = { 'db.system.name': SYSTEMS.get(scheme) ?? 'other_sql' }
  }

  ofReads(lookUp: LookUp): (batch: SentBatch) => Over {
    const measured = this.#metrics.ofReads(lookUp)
    return (batch) => both(measured(batch), this.#spanOf('read batch', lookUp, batch))
  }

  appendSent(batch: SentBatch): Over {
    return both(this.#metrics.appendSent(batch), this.#spanOf('append batch', null, batch))
  }

  transactionBegun(call: Span | undefined): Over {
    const span = call?.beginQuery('transaction', { ...this.#system, 'db.operation.name': 'transaction' })
    return both(this.#metrics.transactionBegun(), span)
  }

  appendFailed(failure: Failure): void {
    this.#metrics.appendFailed(failure)
  }

  triedAgain(lane: 'append' | 'transaction', cause: RetryCause): void {
    this.#metrics.triedAgain(lane, cause)
  }

  #spanOf(operation: string, target: string | null, batch: SentBatch): Span | undefined {
    if (batch.spans.length === 0) return undefined
    const [first, ...sharers] = new Set(batch.spans)
    const facts = {
      ...this.#system,
      'db.operation.name': operation,
      'db.operation.batch.size': batch.size,
      'qscope.waited_ms': batch.waitedMs,
    }
    return first?.beginQuery(target === null ? operation : `${operation} ${target}`, facts, sharers)
  }
}

function both(measured: Over, span: Span | undefined): Over {
  if (span === undefined) return measured
  return (failure) => {
    measured(failure)
    span.end(failure)
  }
}
