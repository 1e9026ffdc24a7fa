import { milliseconds } from '../domain/ids.ts'
import type { ErrorCode } from '../errors/registry.ts'
import type { CallRates, Rate } from '../rpc/server-status.ts'

/** How many calls have ended since the start, by method, and how many were refused, by reason. */
export interface CallTotals {
  readonly calls: ReadonlyMap<string, number>
  readonly refusals: ReadonlyMap<ErrorCode, number>
}

/** The window over which rates are computed. */
const WINDOW_MS = 60_000
/** The interval of the samples. */
export const SAMPLING_MS = 5_000

interface Sample {
  /** By a monotonic clock. */
  readonly at: number
  readonly totals: CallTotals
}

/** Rates over the last minute, computed from periodic samples of totals. */
export class RecentRates {
  readonly #totals: () => CallTotals
  readonly #monotonic: () => number
  /** Oldest first. The first sample is the start of the window. */
  #samples: readonly Sample[]

  /** `monotonic`: milliseconds by a clock that never goes back. */
  constructor(totals: () => CallTotals, monotonic: () => number) {
    this.#totals = totals
    this.#monotonic = monotonic
    this.#samples = [{ at: monotonic(), totals: { calls: new Map(), refusals: new Map() } }]
  }

  /** Takes a sample. Call it every `SAMPLING_MS`. */
  sample(): void {
    const now = this.#monotonic()
    const beginsLater = (next: Sample | undefined) => next !== undefined && next.at <= now - WINDOW_MS
    const kept = this.#samples.filter((_sample, index) => !beginsLater(this.#samples[index + 1]))
    this.#samples = [...kept, { at: now, totals: this.#totals() }]
  }

  read(): CallRates {
    const [first] = this.#samples
    const now = this.#monotonic()
    const elapsed = Math.max(1, now - (first?.at ?? now))
    const { calls, refusals } = this.#totals()
    return {
      window: milliseconds(Math.round(elapsed)),
      calls: ratesOf(calls, first?.totals.calls, elapsed),
      refusals: ratesOf(refusals, first?.totals.refusals, elapsed),
    }
  }
}

function ratesOf<Name extends string>(
  totals: ReadonlyMap<Name, number>,
  before: ReadonlyMap<Name, number> | undefined,
  elapsedMs: number,
): readonly Rate<Name>[] {
  return Array.from(totals, ([name, count]) => ({
    name,
    count,
    perSecond: ((count - (before?.get(name) ?? 0)) * 1_000) / elapsedMs,
  }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count)
}
