import { Histogram } from './histogram.ts'
import type { LoadResult } from './job.ts'

/** Counts answers until the time is over. */
export class Tally {
  readonly #latencies = new Histogram()
  readonly #errors: Record<string, number> = {}
  readonly #begun = performance.now()
  readonly #cpu = process.cpuUsage()
  readonly #end: number
  #result: LoadResult | null = null

  constructor(durationMs: number) {
    this.#end = this.#begun + durationMs
  }

  /** Whether another call may start. */
  get isOpen(): boolean {
    return this.#result === null && performance.now() < this.#end
  }

  /** `error`: `null` for a correct answer. `begun`: the time of `performance.now`. Late answers do not count. */
  note(begun: number, error: string | null): void {
    if (this.#result !== null) return
    if (error !== null) this.#errors[error] = (this.#errors[error] ?? 0) + 1
    else if (performance.now() <= this.#end) this.#latencies.record((performance.now() - begun) * 1_000)
  }

  /** Ends the measurement at the first call. */
  close(): LoadResult {
    this.#result ??= this.#sum()
    return this.#result
  }

  #sum(): LoadResult {
    const { user, system } = process.cpuUsage(this.#cpu)
    const inMs = (microseconds: number | null) => (microseconds === null ? null : microseconds / 1_000)
    return {
      calls: this.#latencies.total,
      seconds: (Math.min(performance.now(), this.#end) - this.#begun) / 1_000,
      p50Ms: inMs(this.#latencies.quantile(0.5)),
      p99Ms: inMs(this.#latencies.quantile(0.99)),
      errors: this.#errors,
      cpuSeconds: (user + system) / 1e6,
    }
  }
}
