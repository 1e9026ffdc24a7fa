import type { Sample } from './sample.ts'

/** The summary of a server's rounds. Medians unless stated otherwise. */
export interface Measured {
  readonly name: string
  /** Tokens a second: calls times tokens for each call. */
  readonly perSecond: number
  /** The ratio to the echo's calls in the same round. */
  readonly ratioToEcho: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p99ToEcho: number
  /** In cores. */
  readonly cpu: { readonly server: number | null; readonly load: number; readonly database: number | null }
  /** The peak of one server process. */
  readonly residentMb: number | null
  /** The total of all rounds. */
  readonly calls: number
  /** The total of all rounds by gRPC status. */
  readonly errors: Readonly<Record<string, number>>
}

/** Summarizes rounds. Each is compared with the echo of the same round. */
export function summarise(
  name: string,
  tokensPerCall: number,
  samples: readonly Sample[],
  echo: readonly Sample[],
): Measured {
  const ratios = (of: (sample: Sample) => number) =>
    samples.map((sample, round) => {
      const yardstick = echo[round]
      return yardstick === undefined ? Number.NaN : of(sample) / of(yardstick)
    })
  const errors: Record<string, number> = {}
  for (const sample of samples) {
    for (const [status, count] of Object.entries(sample.errors)) errors[status] = (errors[status] ?? 0) + count
  }
  const resident = samples.flatMap(({ residentBytes }) => (residentBytes === null ? [] : [residentBytes]))
  return {
    name,
    perSecond: median(samples.map(({ callsPerSecond }) => callsPerSecond)) * tokensPerCall,
    ratioToEcho: median(ratios(({ callsPerSecond }) => callsPerSecond)) * tokensPerCall,
    p50Ms: median(samples.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(samples.map(({ p99Ms }) => p99Ms)),
    p99ToEcho: median(ratios(({ p99Ms }) => p99Ms ?? Number.NaN)),
    cpu: {
      server: medianOrNull(samples.map(({ cpu }) => cpu.server)),
      load: median(samples.map(({ cpu }) => cpu.load)),
      database: medianOrNull(samples.map(({ cpu }) => cpu.database)),
    },
    residentMb: resident.length === 0 ? null : Math.max(...resident) / 1_048_576,
    calls: samples.reduce((sum, { calls }) => sum + calls, 0),
    errors,
  }
}

/** The median of the numbers. NaN for none. */
export function median(values: readonly (number | null)[]): number {
  const sorted = values
    .filter((value) => value !== null && !Number.isNaN(value))
    .toSorted((a, b) => (a ?? 0) - (b ?? 0))
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const middle = median(values)
  return Number.isNaN(middle) ? null : middle
}
