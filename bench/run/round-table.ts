import type { LoadGenerator } from '../load/load-generator.ts'
import { NotAvailable } from '../not-available.ts'
import type { Contestant } from './contestant.ts'
import { type Sample, takeSample } from './sample.ts'

export interface Pace {
  readonly rounds: number
  /** Of one measurement. */
  readonly durationMs: number
  /** For each server before the rounds. */
  readonly warmUpMs: number
}

/** The samples of a server, one for each round, or why there are none. */
export type Outcome =
  | { readonly kind: 'measured'; readonly samples: readonly Sample[] }
  | { readonly kind: 'not available'; readonly reason: string }

/** Measures all servers in turn, round by round (A B C A B C …), so that other load on the machine affects all equally. */
export async function roundTable(
  contestants: readonly Contestant[],
  load: LoadGenerator,
  pace: Pace,
  tell: (line: string) => void,
): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map<string, Outcome>()
  const samples = new Map<Contestant, Sample[]>()
  for (const contestant of contestants) {
    try {
      await takeSample(load, await contestant.job(pace.warmUpMs), contestant.watched)
      samples.set(contestant, [])
    } catch (error) {
      if (!(error instanceof NotAvailable)) throw error
      outcomes.set(contestant.name, { kind: 'not available', reason: error.message })
    }
  }
  for (let round = 1; round <= pace.rounds; round += 1) {
    tell(`  round ${round} of ${pace.rounds}`)
    for (const [contestant, taken] of samples) {
      taken.push(await takeSample(load, await contestant.job(pace.durationMs), contestant.watched))
    }
  }
  for (const [{ name }, taken] of samples) outcomes.set(name, { kind: 'measured', samples: taken })
  return outcomes
}
