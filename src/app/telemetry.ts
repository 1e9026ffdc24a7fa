import manifest from '../../package.json' with { type: 'json' }
import type { KeySource } from '../auth/key-sources.ts'
import type { Config } from '../config/config.ts'
import { backgroundContext, type Logger } from '../context.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { BackendLoad } from '../stores/contract/backend.ts'
import { StoreError } from '../stores/contract/errors.ts'
import type { AuditState } from '../telemetry/audit-metrics.ts'
import { openTelemetry, type Telemetry } from '../telemetry/open-telemetry.ts'
import type { KeyState, PollState, ServerState } from '../telemetry/state-metrics.ts'
import type { App } from './app.ts'
import type { PurgeMetrics } from './jobs/purge.ts'

/** Opens the telemetry of a server of this configuration. */
export async function openConfiguredTelemetry({ tracing, database }: Config, log: Logger): Promise<Telemetry> {
  const { version } = manifest
  return await openTelemetry({ tracing, databaseUrl: database.url, version, instanceId: uuidV7(), log })
}

/** The state of a running application for telemetry. */
export class AppState implements ServerState {
  readonly #app: App
  readonly #log: Logger

  constructor(app: App, log: Logger) {
    this.#app = app
    this.#log = log
  }

  serving(): boolean {
    return this.#app.state.serving
  }

  draining(): boolean {
    return this.#app.state.draining
  }

  load(): BackendLoad {
    return this.#app.backend.load()
  }

  purge(): PurgeMetrics {
    return this.#app.purge.metrics()
  }

  polls(): PollState {
    const { revocationFeed, pollQuota } = this.#app
    return { waiting: pollQuota.waiting, queries: revocationFeed.queries }
  }

  audit(): AuditState {
    const { auditWatches, auditFeed, auditFollowers } = this.#app
    const followers = auditFollowers.map((follower) => follower.metrics())
    return { watches: auditWatches.open, queries: auditFeed.queries, followers }
  }

  clockAheadMs(): number | null {
    const { clock } = this.#app
    return clock === null ? 0 : clock.aheadMs
  }

  keyAges(): ReadonlyMap<KeySource, number> {
    return this.#app.keySets.ages()
  }

  /** An unreachable database must not hide the other metrics. Its own metrics show the failure. */
  async signingKeys(): Promise<readonly KeyState[]> {
    const ctx = backgroundContext('metrics', this.#log)
    try {
      const keys = await this.#app.backend.reads.signingKeys.published(ctx)
      return keys.map(({ algorithm, state, activatedAt, preparedAt }) => ({
        algorithm,
        state,
        ageMs: ctx.now - (activatedAt ?? preparedAt),
      }))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.#log.debug({ err: error }, 'the signing keys could not be read for the metrics')
      return []
    }
  }
}
