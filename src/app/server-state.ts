import type { Logger } from '../logger.ts'
import { StoreError } from '../stores/contract/errors.ts'
import type { KeyState, ServerState } from '../telemetry/state-metrics.ts'
import { type App, systemContext } from './app.ts'

/** What telemetry shows of a running application. */
export function serverStateOf(app: App, log: Logger): ServerState {
  return {
    serving: () => app.state.serving,
    draining: () => app.state.draining,
    load: () => app.backend.load(),
    purge: () => app.purge.metrics(),
    signingKeys: () => publishedKeys(app, log),
  }
}

/** A database that cannot be asked must not take the other metrics along; its own tell of it. */
async function publishedKeys({ backend }: App, log: Logger): Promise<readonly KeyState[]> {
  const ctx = systemContext(log)
  try {
    const keys = await backend.reads.signingKeys.published(ctx)
    return keys.map(({ algorithm, state, activatedAt, preparedAt }) => ({
      algorithm,
      state,
      ageMs: ctx.now - (activatedAt ?? preparedAt),
    }))
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log.debug({ err: error }, 'the signing keys could not be read for the metrics')
    return []
  }
}
