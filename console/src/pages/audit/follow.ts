import type { AuditEvent, WatchAuditEventsResponse } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { refusalOf } from '../../api/refusal.ts'

/** How long a stream that ended is waited for before it is asked for again. */
const AGAIN_MS = 1_000

export interface Follower {
  readonly onEvent: (event: AuditEvent) => void
  /** Whether events come now. */
  readonly onConnected: (isConnected: boolean) => void
}

/** Follows the log from the moment at which it is first run. No event is missed between one run and the next. */
export class AuditFollowing {
  #cursor = ''
  readonly #watch: (cursor: string, signal: AbortSignal) => AsyncIterable<WatchAuditEventsResponse>

  /** `watch` opens a stream behind a cursor; empty: from now on. */
  constructor(watch: (cursor: string, signal: AbortSignal) => AsyncIterable<WatchAuditEventsResponse>) {
    this.#watch = watch
  }

  /**
   * Goes on until the signal is aborted. A stream that is lost, or that the server ends because it stops, is taken up
   * again at its last cursor.
   * @throws ConnectError for a refusal that asking again at once does not change.
   */
  async run({ onEvent, onConnected }: Follower, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const message of this.#watch(this.#cursor, signal)) {
          this.#cursor = message.cursor
          onConnected(true)
          if (message.event !== undefined) onEvent(message.event)
        }
      } catch (error) {
        if (signal.aborted) return
        const { isLost, reason } = refusalOf(error)
        if (!isLost && reason !== 'OAUTH_TEMPORARILY_UNAVAILABLE') throw error
      } finally {
        if (!signal.aborted) onConnected(false)
      }
      await pause(signal)
    }
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, AGAIN_MS)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  clearTimeout(timer)
}
