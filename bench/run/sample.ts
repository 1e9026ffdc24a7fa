import type { Job } from '../load/job.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { usageOf } from './process-usage.ts'

/** One measurement. CPU shares are relative to one core: 1.3 is a core and a third. */
export interface Sample {
  readonly callsPerSecond: number
  readonly calls: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly errors: Readonly<Record<string, number>>
  readonly cpu: { readonly server: number | null; readonly load: number; readonly database: number | null }
  /** The peak of the largest server process, which is one worker. */
  readonly residentBytes: number | null
}

/** The process whose usage is measured. */
export interface Watched {
  readonly server: number
  readonly database: number | null
}

const WATCH_EVERY_MS = 250

/** Runs a job and measures the processes that answer it. */
export async function takeSample(load: LoadGenerator, job: Job, watched: Watched): Promise<Sample> {
  const usages = () => ({
    server: usageOf(watched.server),
    database: watched.database === null ? null : usageOf(watched.database),
    at: performance.now(),
  })
  let first = usages()
  let resident = 0
  const watch = () => {
    resident = Math.max(resident, ...(usageOf(watched.server)?.resident ?? []))
  }
  const timer = setInterval(watch, WATCH_EVERY_MS)
  const result = await load.run(job, () => {
    first = usages()
  })
  clearInterval(timer)
  watch()
  const last = usages()
  const share = (of: 'server' | 'database') => {
    const [from, to] = [first[of], last[of]]
    return from === null || to === null ? null : (to.cpuSeconds - from.cpuSeconds) / ((last.at - first.at) / 1_000)
  }
  return {
    callsPerSecond: result.calls / result.seconds,
    calls: result.calls,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    errors: result.errors,
    cpu: { server: share('server'), load: result.cpuSeconds / result.seconds, database: share('database') },
    residentBytes: resident === 0 ? null : resident,
  }
}
