import type { AuditEvent, WatchAuditEventsResponse } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { refusalOf } from '../../api/refusal.ts'

/** How long a stream that ended is waited for before it is asked for again. */
const AGAIN_MS = 1_000

export interface Follower {
  readonly onEvent: (event: AuditEvent) => void
  /** Whether events come now. */
  readonly onConnected: (isConnected: boolean) => void
}

/**
 * Follows the log until the signal is aborted. A stream that ends is taken up again at its last cursor, so that no event is
 * missed. `watch` opens a stream behind a cursor; empty: from now on.
 * @throws ConnectError for a refusal that asking again does not mend.
 */
export async function follow(
  watch: (cursor: string) => AsyncIterable<WatchAuditEventsResponse>,
  { onEvent, onConnected }: Follower,
  signal: AbortSignal,
): Promise<void> {
  let cursor = ''
  while (!signal.aborted) {
    try {
      for await (const message of watch(cursor)) {
        cursor = message.cursor
        onConnected(true)
        if (message.event !== undefined) onEvent(message.event)
      }
    } catch (error) {
      if (signal.aborted) return
      const { isLost, reason } = refusalOf(error)
      if (!isLost && reason !== 'OAUTH_TEMPORARILY_UNAVAILABLE') throw error
    }
    onConnected(false)
    await pause(signal)
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, AGAIN_MS)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  clearTimeout(timer)
}
