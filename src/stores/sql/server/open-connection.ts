import type { ServerHost } from '../../../domain/server-url.ts'
import { DatabaseError } from '../core/database-error.ts'
import type { OpenedConnection, PendingConnection, ServerDriver, ServerTarget } from './driver.ts'

/**
 * Opens a connection and sets its session up. One time limit holds for both: a
 * network can fall silent after the handshake as well as before. What does not get
 * ready in time, or fails, is destroyed.
 */
export async function openConnection(
  driver: ServerDriver,
  target: ServerTarget,
  host: ServerHost,
): Promise<OpenedConnection> {
  const { connectTimeoutMs } = target.settings
  const pending = driver.dial(target, host)
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () =>
      reject(
        new DatabaseError(
          'lost',
          `the database did not let a connection get ready in ${connectTimeoutMs} ms: it is slow, or no such database listens there; check scheme, host and port in QSCOPE_DATABASE_URL`,
        ),
      ),
    connectTimeoutMs,
  )
  try {
    return await Promise.race([ready(driver, pending), expired])
  } catch (error) {
    pending.connection.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function ready(driver: ServerDriver, pending: PendingConnection): Promise<OpenedConnection> {
  const { connection } = pending
  await pending.handshake()
  const session = await driver.setUp(connection)
  // What the handshake calls otherwise is a pooler's: the server does not know it by that name.
  return { connection, session: session === pending.session ? session : null }
}

/** Ends a connection properly if the server answers in time, and destroys it in any case. */
export async function endWithin(ms: number, ending: Promise<unknown>, destroy: () => void): Promise<void> {
  const { promise: expired, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await Promise.race([ending, expired])
  } catch {
    // However the server answers, the connection is not needed any more.
  } finally {
    clearTimeout(timer)
    destroy()
  }
}
