import type { Span, SpanFacts } from '../context.ts'
import { STORE_FAULTS, type StoreFault } from '../stores/contract/errors.ts'
import {
  type Failure,
  type LookUp,
  type Over,
  RETRY_CAUSES,
  type RetryCause,
  type SentBatch,
  type StoreObserver,
} from '../stores/contract/store-observer.ts'
import {
  BATCH_SIZES,
  type Count,
  Counter,
  DATABASE_SECONDS,
  type Distribution,
  Histogram,
  type Metric,
} from './metric.ts'

type Faults = Readonly<Record<StoreFault, Count>>
type Kind<Label extends string> = readonly [size: Histogram<Label>, wait: Histogram<Label>, duration: Histogram<Label>]

/** Measures batches to the database: their size, their wait and their outcome. */
export class StoreMetrics implements StoreObserver {
  readonly #reads = batchHistograms('qscope_read_batch', 'look-ups', ['look_up'])
  readonly #appends = batchHistograms('qscope_append_batch', 'units', [])
  readonly #transactions = new Histogram(
    {
      name: 'qscope_transaction_duration_seconds',
      help: 'How long transactions took, including retries and the wait for a connection.',
      labels: [],
    },
    DATABASE_SECONDS,
  )
  readonly #failures = new Counter({
    name: 'qscope_database_failures_total',
    help: 'Batches and transactions that finally failed, by the fault of the database. Contended ones lost to others until they gave up.',
    labels: ['operation', 'fault'],
  })
  readonly #retries = new Counter({
    name: 'qscope_transaction_retries_total',
    help: 'Transactions that were rolled back and tried again, because they lost to others, waited too long for a lock, or lost their connection.',
    labels: ['lane', 'cause'],
  })
  readonly #retried = {
    append: this.#causes('append'),
    transaction: this.#causes('transaction'),
  }
  readonly #readFailures = this.#faults('read')
  readonly #appendFailures = this.#faults('append')
  readonly #transactionFailures = this.#faults('transaction')
  /** Whether a failed batch has failed for good is told apart. */
  readonly #append = watched(this.#appends, {}, null)
  readonly #transaction = this.#transactions.series({})

  readonly metrics: readonly Metric[] = [
    ...this.#reads,
    ...this.#appends,
    this.#transactions,
    this.#failures,
    this.#retries,
  ]

  ofReads(lookUp: LookUp): (batch: SentBatch) => Over {
    return watched(this.#reads, { look_up: lookUp }, this.#readFailures)
  }

  appendSent(batch: SentBatch): Over {
    return this.#append(batch)
  }

  appendFailed(failure: Failure): void {
    if (failure !== 'other') this.#appendFailures[failure].value += 1
  }

  transactionBegun(): Over {
    return timed(this.#transaction, this.#transactionFailures)
  }

  triedAgain(lane: 'append' | 'transaction', cause: RetryCause): void {
    this.#retried[lane][cause].value += 1
  }

  #faults(operation: 'read' | 'append' | 'transaction'): Faults {
    return this.#failures.seriesOf(STORE_FAULTS, (fault) => ({ operation, fault }))
  }

  #causes(lane: 'append' | 'transaction'): Readonly<Record<RetryCause, Count>> {
    return this.#retries.seriesOf(RETRY_CAUSES, (cause) => ({ lane, cause }))
  }
}

function batchHistograms<Label extends string>(name: string, items: string, labels: readonly Label[]): Kind<Label> {
  return [
    new Histogram({ name: `${name}_size`, help: `Number of ${items} in a batch.`, labels }, BATCH_SIZES),
    new Histogram(
      {
        name: `${name}_wait_seconds`,
        help: `How long ${items} waited until they were sent: the longest wait in a batch.`,
        labels,
      },
      DATABASE_SECONDS,
    ),
    new Histogram(
      {
        name: `${name}_duration_seconds`,
        help: `How long the database took for a batch of ${items}.`,
        labels,
      },
      DATABASE_SECONDS,
    ),
  ]
}

function watched<Label extends string>(
  [sizes, waits, durations]: Kind<Label>,
  labels: Readonly<Record<Label, string>>,
  faults: Faults | null,
): (batch: SentBatch) => Over {
  const size = sizes.series(labels)
  const wait = waits.series(labels)
  const duration = durations.series(labels)
  return (batch) => {
    size.observe(batch.size)
    wait.observe(batch.waitedMs / 1_000)
    return timed(duration, faults)
  }
}

function timed(duration: Distribution, faults: Faults | null): Over {
  const begun = performance.now()
  return (failure) => {
    duration.observe((performance.now() - begun) / 1_000)
    if (faults !== null && failure !== null && failure !== 'other') faults[failure].value += 1
  }
}

/** How OpenTelemetry's semantic conventions name databases, by the scheme of their URL. */
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['sqlite', 'sqlite'],
  ['libsql', 'sqlite'],
  ['http', 'sqlite'],
  ['https', 'sqlite'],
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
