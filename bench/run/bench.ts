import { cellName, type Ground, groundName } from '../cells.ts'
import type { BenchDatabase } from '../databases/bench-database.ts'
import { Databases } from '../databases/open.ts'
import { LoadGenerator } from '../load/load-generator.ts'
import { NotAvailable } from '../not-available.ts'
import { startOidcProviders } from '../peers/oidc-contestants.ts'
import { ECHO, startYardsticks } from '../peers/yardsticks.ts'
import type { Group, Plan } from '../plan.ts'
import type { CellResult, GroupResult } from '../report/results.ts'
import { type OpenedDataset, openDataset } from '../seed/dataset.ts'
import { type Abilities, abilitiesOf } from '../server/abilities.ts'
import type { Contestant } from './contestant.ts'
import { type OpenGround, openGround } from './ground.ts'
import { summarise } from './measured.ts'
import { type Pace, roundTable } from './round-table.ts'
import { runTrial, type TrialResult, type TrialSettings } from './trials.ts'

export interface BenchOptions {
  readonly entry: string
  /** The directory of the databases. */
  readonly root: string
  readonly fresh: boolean
  readonly pace: Pace
  readonly trials: TrialSettings
  /** Arguments for the server's Node. */
  readonly nodeArgs?: readonly string[]
  readonly tell: (line: string) => void
}

export interface BenchOutcome {
  readonly groups: readonly GroupResult[]
  readonly trials: readonly TrialResult[]
  /** The versions of the databases in the run. */
  readonly databases: readonly string[]
}

/** The state that the groups of a run share. */
export class Bench {
  readonly #options: BenchOptions
  readonly #abilities: Abilities
  readonly #databases: Databases
  readonly #datasets = new Map<string, Promise<OpenedDataset>>()
  readonly #versions = new Set<string>()
  readonly #load = new LoadGenerator()

  private constructor(options: BenchOptions, abilities: Abilities) {
    this.#options = options
    this.#abilities = abilities
    this.#databases = new Databases(options.root, abilities)
  }

  static async run(plan: Plan, options: BenchOptions): Promise<BenchOutcome> {
    const bench = new Bench(options, await abilitiesOf(options.entry))
    try {
      const groups: GroupResult[] = []
      for (const group of plan.groups) groups.push(await bench.#group(group))
      const trials: TrialResult[] = []
      for (const trial of plan.trials) {
        const open = () => bench.#open(trial)
        trials.push(await runTrial(trial, open, bench.#load, options))
      }
      return { groups, trials, databases: [...bench.#versions] }
    } finally {
      bench.#load.stop()
      await bench.#databases.stop()
    }
  }

  async #group(group: Group): Promise<GroupResult> {
    const { tell, pace, root } = this.#options
    tell(group.title)
    const absent: CellResult[] = []
    const grounds = new Map<string, OpenGround>()
    const contestants: Contestant[] = []
    const yardsticks = await startYardsticks(group.inFlight)
    const stops = [yardsticks.stop]
    try {
      for (const cell of group.cells) {
        try {
          const ground = grounds.get(groundName(cell)) ?? (await this.#open(cell))
          if (!grounds.has(groundName(cell))) stops.push(ground.close)
          grounds.set(groundName(cell), ground)
          contestants.push(ground.contestant(cell))
        } catch (error) {
          absent.push(notAvailable(cellName(cell), error))
        }
      }
      if (contestants.length === 0) return { title: group.title, results: absent }
      if (group.withPeers) {
        try {
          const peers = await startOidcProviders(root, group.inFlight)
          stops.push(peers.stop)
          contestants.push(...peers.contestants)
        } catch (error) {
          absent.push(notAvailable('oidc-provider', error))
        }
      }
      const all = [...yardsticks.contestants, ...contestants]
      const outcomes = await roundTable(all, this.#load, pace, tell)
      const echo = outcomes.get(ECHO)
      const echoSamples = echo?.kind === 'measured' ? echo.samples : []
      const results = all.map(({ name, tokensPerCall }): CellResult => {
        const outcome = outcomes.get(name)
        if (outcome?.kind === 'measured') {
          return { kind: 'measured', ...summarise(name, tokensPerCall, outcome.samples, echoSamples) }
        }
        return { kind: 'not available', name, reason: outcome?.reason ?? '' }
      })
      return { title: group.title, results: [...results, ...absent] }
    } finally {
      for (const stop of stops.toReversed()) await stop()
    }
  }

  /** Starts the server of a ground. Throws `NotAvailable`. */
  async #open(ground: Ground): Promise<OpenGround> {
    if (ground.workers > 1 && !this.#abilities.workers) throw new NotAvailable('this server has no QSCOPE_WORKERS')
    const database = await this.#databases.open(ground.database)
    this.#versions.add(database.version)
    const { entry, nodeArgs = [] } = this.#options
    return await openGround(ground, database, await this.#dataset(database, ground.tokens), { entry, nodeArgs })
  }

  /** Opened once for each run, because opening also cleans up, which must not happen under a running server. */
  #dataset(database: BenchDatabase, tokens: number): Promise<OpenedDataset> {
    const key = `${database.name} ${tokens}`
    const opened = this.#datasets.get(key) ?? openDataset(database, tokens, this.#options)
    this.#datasets.set(key, opened)
    return opened
  }
}

/** Any other error ends the run. */
function notAvailable(name: string, error: unknown): CellResult {
  if (!(error instanceof NotAvailable)) throw error
  return { kind: 'not available', name, reason: error.message }
}
