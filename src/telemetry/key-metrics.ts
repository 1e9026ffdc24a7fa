import {
  KEY_READ_OUTCOMES,
  KEY_SOURCES,
  type KeyReadObserver,
  type KeyReadOutcome,
  type KeySource,
} from '../auth/key-sources.ts'
import { CALL_SECONDS, type Count, Counter, type Distribution, Histogram, type Metric, Reading } from './metric.ts'

/** Counts and times how the keys of trusted issuers and clients are read. Their names and URLs are not labels. */
export class KeyMetrics implements KeyReadObserver {
  readonly #reads = new Counter({
    name: 'qscope_key_set_reads_total',
    help: 'Attempts to read the keys of trusted issuers and clients: `ok`; `unavailable` without a usable answer; `unusable` if the answer breaks a rule.',
    labels: ['source', 'outcome'],
  })
  readonly #durations = new Histogram(
    {
      name: 'qscope_key_set_read_duration_seconds',
      help: 'How long an attempt took, including discovery.',
      labels: ['source'],
    },
    CALL_SECONDS,
  )
  readonly #of: Readonly<Record<KeySource, Series>>

  readonly metrics: readonly Metric[] = [this.#reads, this.#durations]

  constructor() {
    const entries = KEY_SOURCES.map((source): [KeySource, Series] => [
      source,
      {
        outcomes: this.#reads.seriesOf(KEY_READ_OUTCOMES, (outcome) => ({ source, outcome })),
        duration: this.#durations.series({ source }),
      },
    ])
    // The keys are exactly the sources.
    this.#of = Object.freeze(Object.fromEntries(entries)) as Record<KeySource, Series>
  }

  keysRead(source: KeySource, outcome: KeyReadOutcome, seconds: number): void {
    const { outcomes, duration } = this.#of[source]
    outcomes[outcome].value += 1
    duration.observe(seconds)
  }
}

interface Series {
  readonly outcomes: Readonly<Record<KeyReadOutcome, Count>>
  readonly duration: Distribution
}

/** `ages`: for each source, the greatest age of keys that are in use, in milliseconds. */
export function keyAgeMetric(ages: () => ReadonlyMap<KeySource, number>): Metric {
  return new Reading(
    {
      name: 'qscope_key_set_age_seconds',
      type: 'gauge',
      help: 'Time since the last successful read of the oldest keys that were needed within the last minute. Keys older than 300 s (in files: 10 s) are not used.',
      labels: ['source'],
      aggregation: 'max',
    },
    () => Array.from(ages(), ([source, ageMs]) => ({ labels: { source }, value: ageMs / 1_000 })),
  )
}
