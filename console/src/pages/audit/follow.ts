import type { AuditEvent, WatchAuditEventsResponse } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { refusalOf } from '../../api/refusal.ts'

/** How long a stream that ended is waited for before it is asked for again. */
const AGAIN_MS = 1_000
/** The server sends a message every 15 seconds. A stream that is silent for this long is lost. */
const SILENT_MS = 40_000

/** Opens a stream behind a cursor; empty: from now on. */
export type Watch = (cursor: string, signal: AbortSignal) => AsyncIterable<WatchAuditEventsResponse>

export interface Follower {
  readonly onEvent: (event: AuditEvent) => void
  /** Whether events come now. */
  readonly onConnected: (isConnected: boolean) => void
}

/** Follows the log from the moment at which it is first run. No event is missed between one run and the next. */
export class AuditFollowing {
  #cursor = ''

  /**
   * Goes on until the signal is aborted. A stream that is lost or silent, or that the server ends because it stops, is
   * taken up again at its last cursor.
   * @throws ConnectError for a refusal that asking again at once does not change.
   */
  async run(watch: Watch, { onEvent, onConnected }: Follower, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const silence = new Silence()
      try {
        for await (const message of watch(this.#cursor, AbortSignal.any([signal, silence.signal]))) {
          // Whoever takes over goes on behind the cursor, so this message comes again.
          if (signal.aborted) return
          silence.broken()
          this.#cursor = message.cursor
          onConnected(true)
          if (message.event !== undefined) onEvent(message.event)
        }
      } catch (error) {
        if (signal.aborted) return
        const { isLost, reason } = refusalOf(error)
        if (!isLost && reason !== 'OAUTH_TEMPORARILY_UNAVAILABLE') throw error
      } finally {
        silence.end()
        if (!signal.aborted) onConnected(false)
      }
      await pause(signal)
    }
  }
}

/** Aborts its signal when it has lasted too long. */
class Silence {
  readonly #controller = new AbortController()
  #timer = this.#start()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Begins anew. */
  broken(): void {
    this.end()
    this.#timer = this.#start()
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #start() {
    return setTimeout(() => this.#controller.abort(), SILENT_MS)
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, AGAIN_MS)
  const end = () => resolve()
  signal.addEventListener('abort', end)
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', end)
}
