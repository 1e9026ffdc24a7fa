import type { MetricSnapshot } from '../../telemetry/metric.ts'

/** What one process measured. */
export type ProcessMetrics = readonly MetricSnapshot[]

/** How long to wait for a worker that is busy or dying; its values are then left out. */
const ANSWER_TIMEOUT_MS = 2_000

/** Collects the metrics of the workers in the primary, so that each worker can answer for all of them. */
export class MetricsAggregation {
  readonly #running = new Map<
    number,
    { missing: number; readonly measured: ProcessMetrics[]; readonly end: () => void }
  >()
  #last = 0

  /** Requests metrics from `workers` workers through `ask`. Resolves with the answers that arrive in time. */
  begin(workers: number, ask: (round: number) => void): Promise<readonly ProcessMetrics[]> {
    this.#last += 1
    const round = this.#last
    return new Promise((resolve) => {
      const measured: ProcessMetrics[] = []
      const end = () => {
        clearTimeout(timer)
        this.#running.delete(round)
        resolve(measured)
      }
      const timer = setTimeout(end, ANSWER_TIMEOUT_MS)
      this.#running.set(round, { missing: workers, measured, end })
      ask(round)
      if (workers === 0) end()
    })
  }

  /** Adds an answer; one that is late is ignored. */
  add(round: number, measured: ProcessMetrics): void {
    const running = this.#running.get(round)
    if (running === undefined) return
    running.measured.push(measured)
    running.missing -= 1
    if (running.missing === 0) running.end()
  }
}
