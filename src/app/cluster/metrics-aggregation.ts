import type { MetricSnapshot } from '../../telemetry/metric.ts'

/** What one process measured. */
export type Measured = readonly MetricSnapshot[]

/** A worker that is busy or dying keeps nobody waiting longer; its values are then left out. */
const PATIENCE_MS = 2_000

/** Collects what the workers measured, in the primary: whichever of them is asked for metrics answers for all. */
export class MetricsAggregation {
  readonly #running = new Map<number, { missing: number; readonly measured: Measured[]; readonly end: () => void }>()
  #last = 0

  /** Asks so many workers through `ask`; resolves with what they answered in time. */
  begin(workers: number, ask: (round: number) => void): Promise<readonly Measured[]> {
    this.#last += 1
    const round = this.#last
    return new Promise((resolve) => {
      const measured: Measured[] = []
      const end = () => {
        clearTimeout(timer)
        this.#running.delete(round)
        resolve(measured)
      }
      const timer = setTimeout(end, PATIENCE_MS)
      this.#running.set(round, { missing: workers, measured, end })
      ask(round)
      if (workers === 0) end()
    })
  }

  /** Notes an answer; one that is late is not missed. */
  note(round: number, measured: Measured): void {
    const running = this.#running.get(round)
    if (running === undefined) return
    running.measured.push(measured)
    running.missing -= 1
    if (running.missing === 0) running.end()
  }
}
