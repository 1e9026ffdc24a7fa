import type { ServerHost } from '../../../domain/server-url.ts'
import { DatabaseError } from '../core/database-error.ts'
import type { OpenedConnection, PendingConnection, ServerDriver, ServerTarget, SessionUse } from './driver.ts'

/**
 * Opens a connection and sets up its session. One time limit covers both, because a network can fail after the handshake,
 * too. A connection that is late or fails is destroyed.
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
          `no connection to the database was ready within ${connectTimeoutMs} ms: the database is slow, or another kind of server listens there; check scheme, host and port in QSCOPE_DATABASE_URL`,
        ),
      ),
    connectTimeoutMs,
  )
  try {
    return await Promise.race([ready(driver, pending, target.use), expired])
  } catch (error) {
    pending.connection.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function ready(driver: ServerDriver, pending: PendingConnection, use: SessionUse): Promise<OpenedConnection> {
  const { connection } = pending
  await pending.handshake()
  const session = await driver.setUp(connection, use)
  // A different name from the handshake is a pooler's, which the server does not know.
  return { connection, session: session === pending.session ? session : null }
}

/** Ends a connection properly if the server answers in time, and always destroys it. */
export async function endWithin(ms: number, ending: Promise<unknown>, destroy: () => void): Promise<void> {
  const { promise: expired, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await Promise.race([ending, expired])
  } catch {
    // The connection is no longer needed, whatever the server answers.
  } finally {
    clearTimeout(timer)
    destroy()
  }
}

/**
 * The hosts of one database, tried in order. All connections prefer the host that was opened last, so that they use the same
 * node and leave it together. Reads therefore come from the node of the writes.
 */
export class Hosts {
  readonly #hosts: readonly ServerHost[]
  /** The index of the first host to try. */
  #first = 0
  /** `null`: none. Existing connections are then replaced. */
  #preferred: ServerHost | null = null

  constructor(hosts: readonly ServerHost[]) {
    this.#hosts = hosts
  }

  /** Whether connections to this host may be kept. */
  isPreferred(host: ServerHost): boolean {
    return this.#preferred === host
  }

  /** Makes all connections leave a host. The others are tried before it. */
  leave(host: ServerHost): void {
    if (this.#preferred !== host) return
    this.#preferred = null
    this.#first = (this.#hosts.indexOf(host) + 1) % this.#hosts.length
  }

  /** Opens a connection to the first usable host. Throws the reasons if there is none. */
  async open<T>(openOn: (host: ServerHost) => Promise<T>): Promise<{ readonly host: ServerHost; readonly opened: T }> {
    const failures: { readonly host: ServerHost; readonly failure: DatabaseError }[] = []
    const first = this.#first
    for (let step = 0; step < this.#hosts.length; step += 1) {
      const index = (first + step) % this.#hosts.length
      const host = this.#hosts[index]
      if (host === undefined) break
      try {
        const opened = await openOn(host)
        this.#first = index
        this.#preferred = host
        return { host, opened }
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error
        failures.push({ host, failure: unreachable(error) })
      }
    }
    const [only, ...others] = failures
    if (only !== undefined && others.length === 0) throw only.failure
    const reasons = failures.map(({ host, failure }) => `${host.host}: ${failure.message}`).join('; ')
    throw new DatabaseError('unavailable', `no host of the database can be used (${reasons})`, only?.failure)
  }
}

/** An error of the connection, such as an invalid certificate, says nothing about the data. */
function unreachable(failure: DatabaseError): DatabaseError {
  if (failure.kind !== 'broken') return failure
  return new DatabaseError('unavailable', `the database cannot be connected to: ${failure.message}`, failure)
}

/** The connection was not established. */
const UNREACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Socket errors: the connection is lost or was not established. */
export const SOCKET_CODES: ReadonlySet<string> = new Set([...UNREACHED, 'ECONNRESET', 'EPIPE'])

/** The meaning of such an error, and the remedy unless it is transient. */
export function socketErrorMessage(code: string, message: string): string {
  const reason = message === '' ? code : message
  return UNREACHED.has(code)
    ? `the database cannot be reached: ${reason}; check the host and port in QSCOPE_DATABASE_URL, and that the database server is running`
    : `the connection to the database is lost: ${reason}`
}

/** Precedes a server's rejection of the login. */
export const LOG_IN_REFUSED =
  'the database refuses the login of QScope (user, password and database are in QSCOPE_DATABASE_URL): '
