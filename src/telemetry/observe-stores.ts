import type { Over, SentBatch, StoreObserver } from '../stores/contract/store-observer.ts'
import type { Span } from '../trace.ts'
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
export function observeStores(metrics: StoreMetrics, databaseUrl: string): StoreObserver {
  const scheme = databaseUrl.slice(0, databaseUrl.indexOf(':'))
  const system = { 'db.system.name': SYSTEMS.get(scheme) ?? 'other_sql' }

  const traced = (operation: string, target: string | null, batch: SentBatch): Span | undefined => {
    if (batch.spans.length === 0) return undefined
    const [first, ...sharers] = new Set(batch.spans)
    const facts = {
      ...system,
      'db.operation.name': operation,
      'db.operation.batch.size': batch.size,
      'qscope.waited_ms': batch.waitedMs,
    }
    return first?.beginQuery(target === null ? operation : `${operation} ${target}`, facts, sharers)
  }

  return {
    ofReads: (lookUp) => {
      const measured = metrics.ofReads(lookUp)
      return (batch) => both(measured(batch), traced('read batch', lookUp, batch))
    },
    appendSent: (batch) => both(metrics.appendSent(batch), traced('append batch', null, batch)),
    transactionBegun: (call) => {
      const span = call?.beginQuery('transaction', { ...system, 'db.operation.name': 'transaction' })
      return both(metrics.transactionBegun(), span)
    },
    appendFailed: (failure) => metrics.appendFailed(failure),
    triedAgain: (lane, cause) => metrics.triedAgain(lane, cause),
  }
}

function both(measured: Over, span: Span | undefined): Over {
  if (span === undefined) return measured
  return (failure) => {
    measured(failure)
    span.end(failure)
  }
}
