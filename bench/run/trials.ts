import { cellName } from '../cells.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { NotAvailable } from '../not-available.ts'
import type { Trial } from '../plan.ts'
import type { OpenGround } from './ground.ts'
import { median } from './measured.ts'
import { takeSample } from './sample.ts'

export interface TrialSettings {
  /** The number of server starts. */
  readonly starts: number
  readonly soakMs: number
}

export type TrialResult =
  | { readonly kind: 'start'; readonly name: string; readonly medianMs: number; readonly slowestMs: number }
  | {
      readonly kind: 'soak'
      readonly name: string
      readonly minutes: number
      /** Resident memory of the largest process, after each slice of the load. */
      readonly residentMb: readonly number[]
      readonly highestMb: number
      /** The ratio of the mean of the last fifth to that of the second fifth. The first fifth is the warm-up. */
      readonly growth: number
      readonly errors: Readonly<Record<string, number>>
    }
  | { readonly kind: 'not available'; readonly name: string; readonly reason: string }

interface Options {
  readonly trials: TrialSettings
  readonly tell: (line: string) => void
}

/** Runs a measurement without rounds. `open` starts a server of the trial's ground. */
export async function runTrial(
  trial: Trial,
  open: () => Promise<OpenGround>,
  load: LoadGenerator,
  options: Options,
): Promise<TrialResult> {
  options.tell(cellName(trial))
  try {
    switch (trial.row) {
      case 'start':
        return await measureStart(trial, open, options)
      case 'soak':
        return await soak(trial, open, load, options)
      default:
        return trial.row satisfies never
    }
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    return { kind: 'not available', name: cellName(trial), reason: error.message }
  }
}

async function measureStart(trial: Trial, open: () => Promise<OpenGround>, { trials }: Options): Promise<TrialResult> {
  const times: number[] = []
  for (let n = 0; n < trials.starts; n += 1) {
    const ground = await open()
    times.push(ground.server.startMs)
    await ground.close()
  }
  return { kind: 'start', name: cellName(trial), medianMs: median(times), slowestMs: Math.max(...times) }
}

const SLICES = 60
/** The mix of the load in slices, mostly checks. */
const MIX = Object.freeze(['introspect', 'verify', 'introspect', 'mint', 'refresh'] as const)

async function soak(
  trial: Trial,
  open: () => Promise<OpenGround>,
  load: LoadGenerator,
  { trials, tell }: Options,
): Promise<TrialResult> {
  const ground = await open()
  try {
    const resident: number[] = []
    const errors: Record<string, number> = {}
    for (let slice = 0; slice < SLICES; slice += 1) {
      const row = MIX[slice % MIX.length] ?? 'introspect'
      const contestant = ground.contestant({ ...trial, row })
      const sample = await takeSample(load, await contestant.job(trials.soakMs / SLICES), contestant.watched)
      resident.push((sample.residentBytes ?? Number.NaN) / 1_048_576)
      for (const [status, count] of Object.entries(sample.errors)) errors[status] = (errors[status] ?? 0) + count
      if (slice % 6 === 5) tell(`  ${Math.round(resident.at(-1) ?? 0)} MB after ${slice + 1} of ${SLICES} slices`)
    }
    const fifth = SLICES / 5
    const growth = mean(resident.slice(-fifth)) / mean(resident.slice(fifth, 2 * fifth))
    const minutes = trials.soakMs / 60_000
    const highestMb = Math.max(...resident)
    return { kind: 'soak', name: cellName(trial), minutes, residentMb: resident, highestMb, growth, errors }
  } finally {
    await ground.close()
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
