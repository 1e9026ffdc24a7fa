import manifest from '../../package.json' with { type: 'json' }
import type { Config } from '../config/config.ts'
import type { Logger } from '../context.ts'
import { type EpochMs, epochMs } from '../domain/ids.ts'
import type { ServerStatus, ServerStatusSource } from '../rpc/server-status.ts'
import type { ServingState } from '../rpc/serving-state.ts'
import type { RecentRates } from '../telemetry/recent-rates.ts'
import { examine } from './doctor/doctor.ts'
import { contentFindings, type OpenDatabase, reachedFindings, schemaFinding } from './doctor/examine-database.ts'
import type { Finding } from './doctor/finding.ts'

/** How long findings are cached. An examination queries the database, reads files and fetches the keys of issuers. */
const KEPT_MS = 10_000

interface Examination {
  readonly findings: readonly Finding[]
  readonly examinedAt: EpochMs
  /** When it ended, in time of the monotonic clock. */
  readonly endedAt: number
}

export interface OwnStatusParts {
  readonly config: Config
  readonly log: Logger
  readonly database: OpenDatabase
  readonly state: ServingState
  readonly rates: RecentRates
  readonly monotonic: () => number
}

/** The status of this process, for `GetServerStatus`. */
export class OwnStatus implements ServerStatusSource {
  readonly #parts: OwnStatusParts
  readonly #startedAt = epochMs(Date.now())
  #last: Examination | null = null
  #running: Promise<Examination> | null = null

  constructor(parts: OwnStatusParts) {
    this.#parts = parts
  }

  async read(): Promise<ServerStatus> {
    const { findings, examinedAt } = await this.#examination()
    const { state, rates } = this.#parts
    return {
      version: manifest.version,
      startedAt: this.#startedAt,
      serving: state.serving,
      findings,
      examinedAt,
      rates: rates.read(),
    }
  }

  /** One at a time, for all callers. */
  #examination(): Promise<Examination> | Examination {
    if (this.#last !== null && this.#parts.monotonic() < this.#last.endedAt + KEPT_MS) return this.#last
    this.#running ??= this.#examine().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #examine(): Promise<Examination> {
    const examinedAt = epochMs(Date.now())
    const database = () => this.#databaseFindings()
    const findings = await examine(this.#parts.config, { database, listeners: false })
    this.#last = { findings, examinedAt, endedAt: this.#parts.monotonic() }
    return this.#last
  }

  async #databaseFindings(): Promise<readonly Finding[]> {
    const { config, log, database } = this.#parts
    const schema = await database.backend.schema()
    return [
      ...reachedFindings(config),
      schemaFinding(schema),
      ...(schema.problem === null ? await contentFindings(database, schema, config, log) : []),
    ]
  }
}
