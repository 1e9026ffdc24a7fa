import { backgroundContext, type Logger } from '../context.ts'
import { type EpochMs, epochMs, type SecretId } from '../domain/ids.ts'
import type { Backend } from '../stores/contract/backend.ts'

const MINUTE = 60_000
const FLUSH_EVERY_MS = 5_000

/**
 * Records the last use of secrets, to the minute and in the background. Calls do not wait for it. A crash may lose the
 * last seconds.
 */
export class SecretUsage {
  readonly #backend: Pick<Backend, 'transaction'>
  readonly #log: Logger
  /** The last recorded use, so that a busy secret costs one write a minute. */
  readonly #noted = new Map<SecretId, EpochMs>()
  #waiting = new Map<SecretId, EpochMs>()
  readonly #timer: NodeJS.Timeout

  constructor(backend: Pick<Backend, 'transaction'>, log: Logger) {
    this.#backend = backend
    this.#log = log
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS)
    this.#timer.unref()
  }

  note(secretId: SecretId, now: EpochMs): void {
    const minute = epochMs(now - (now % MINUTE))
    if (this.#noted.get(secretId) === minute) return
    this.#noted.set(secretId, minute)
    this.#waiting.set(secretId, minute)
  }

  /** Writes the recorded uses. Uses that cannot be written are kept for the next attempt. */
  async flush(): Promise<void> {
    if (this.#waiting.size === 0) return
    const uses = this.#waiting
    this.#waiting = new Map()
    const ctx = backgroundContext('secret-usage', this.#log)
    try {
      await this.#backend.transaction(ctx, async (stores) => {
        for (const [secretId, at] of uses) await stores.clientSecrets.markUsed(secretId, at)
        return { commit: true, value: null }
      })
    } catch (error) {
      for (const [secretId, at] of uses) if (!this.#waiting.has(secretId)) this.#waiting.set(secretId, at)
      this.#log.warn({ err: error }, 'the last use of client secrets could not be stored; retrying')
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }
}
