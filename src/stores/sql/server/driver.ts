import type { ServerHost, ServerUrl } from '../../../domain/server-url.ts'
import type { DatabaseError } from '../core/database-error.ts'
import type { ConnectionSettings, Statement, StatementResult } from '../core/dialect.ts'

/** A driver's connection. Throws only `DatabaseError`. Runs one statement at a time. */
export interface RawConnection {
  /** Whether the connection is open, as far as the driver knows. */
  readonly usable: boolean
  /** Runs a prepared statement. */
  execute(statement: Statement): Promise<StatementResult>
  /** Runs a text directly: a statement that cannot be prepared, or is needed once. */
  query(sql: string): Promise<StatementResult>
  /**
   * Runs statements without result rows in one round trip, up to the first failure. Throws if the server did not answer. Any
   * number of them may then have run. Requires a connection opened with `multiStatements`.
   */
  writeAll(statements: readonly Statement[]): Promise<Written>
  end(): Promise<void>
  /** Closes the connection and its socket at once. Running statements fail as lost. */
  destroy(): void
}

/** The result of a list of statements. */
export interface Written {
  /** The number of rows that each executed statement wrote or matched. */
  readonly affected: readonly number[]
  /** The error of the statement after these. Later statements did not run. */
  readonly failure: DatabaseError | null
}

/** The purpose of a session. One that reads sees every commit that was confirmed before the read, even if its host failed. */
export type SessionUse = 'reads' | 'writes'

/** The location and settings of a database. */
export interface ServerTarget {
  readonly url: ServerUrl
  readonly settings: ConnectionSettings
  /** Whether one round trip can carry many statements. */
  readonly multiStatements: boolean
  readonly use: SessionUse
}

/** A connection that is being opened. */
export interface PendingConnection {
  /** Can be destroyed at any time. */
  readonly connection: RawConnection
  /** Resolves when the server has accepted the login. */
  handshake(): Promise<void>
  /** The server's name for the session after the login. `null`: none. */
  readonly session: string | null
}

/** An open connection whose session is set up. */
export interface OpenedConnection {
  readonly connection: RawConnection
  /** The server's name for the session. `null`: a proxy is in between, and its session names mean nothing to the server. */
  readonly session: string | null
}

/** The database-specific parts of a server database. `openConnection` combines them. */
export interface ServerDriver {
  /** Begins a connection without waiting. */
  dial(target: ServerTarget, host: ServerHost): PendingConnection
  /**
   * Sets a session up and verifies it: each statement reads committed data, characters arrive as they were sent, and nothing
   * is truncated. Throws if this fails. Also throws if the host does not take writes, because the answers of a replica may be
   * stale. Another host is then tried. Returns the server's name for the session.
   */
  setUp(connection: RawConnection, use: SessionUse): Promise<string>
  /** Throws if the session's settings have changed, for example by a pooler. */
  verify(connection: RawConnection, use: SessionUse): Promise<void>
  /** Queries, as text, the `id` of each session of this user that is executing a statement. */
  readonly sessionsAtWork: string
  /** An update that matches nothing. A server that takes no writes rejects it. */
  readonly probe: string
}

/** After this idle time the system sends TCP keepalive probes, to detect a dead connection. */
export const KEEPALIVE_AFTER_MS = 10_000

/** A value that server drivers accept. */
export type Bindable = string | number | boolean | Buffer | null

export function bindable(value: unknown): Bindable {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value)
  throw new TypeError(`a ${typeof value} cannot be stored`)
}
