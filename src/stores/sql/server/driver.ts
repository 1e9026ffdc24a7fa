import type { ServerHost, ServerUrl } from '../../../domain/server-url.ts'
import type { DatabaseError } from '../core/database-error.ts'
import type { ConnectionSettings, Statement, StatementResult } from '../core/dialect.ts'

/** A connection as a driver gives it. Throws nothing but `DatabaseError`; runs one statement at a time. */
export interface RawConnection {
  /** Whether it is still there, as far as the driver knows. */
  readonly usable: boolean
  /** Runs a prepared statement. */
  execute(statement: Statement): Promise<StatementResult>
  /** Runs text as it is: what cannot be prepared, or is needed once. */
  query(sql: string): Promise<StatementResult>
  /**
   * Runs statements that answer no rows in one round trip, up to the first that the
   * server refuses. Throws if it gave no answer: then any number of them may have been
   * run. Only on a connection that was opened for it.
   */
  writeAll(statements: readonly Statement[]): Promise<Written>
  end(): Promise<void>
  /** Cuts it off and frees its socket, whether or not the other side answers: what runs on it fails as lost. */
  destroy(): void
}

/** How far a list of statements came. */
export interface Written {
  /** Of each that was run, how many rows it wrote, or matched. */
  readonly affected: readonly number[]
  /** Why the one after these was refused, and none after it run. */
  readonly failure: DatabaseError | null
}

/** What a session is for: one that reads is told all that was answered before it asked, whatever became of its host. */
export type SessionUse = 'reads' | 'writes'

/** Where a database is, and how it is talked to. */
export interface ServerTarget {
  readonly url: ServerUrl
  readonly settings: ConnectionSettings
  /** Whether one round trip shall be able to carry many statements. */
  readonly multiStatements: boolean
  readonly use: SessionUse
}

/** A connection that is being made. */
export interface PendingConnection {
  /** Can be destroyed at any moment. */
  readonly connection: RawConnection
  /** Resolves when the server has let it in. */
  handshake(): Promise<void>
  /** The server's name for the session, once it has let it in; `null`: it named none. */
  readonly session: string | null
}

/** A connection that is set up. */
export interface OpenedConnection {
  readonly connection: RawConnection
  /** The server's name for its session; `null`: a proxy stands between, under whose names nothing can be asked for. */
  readonly session: string | null
}

/** What a database on a server brings of its own. `openConnection` puts it together. */
export interface ServerDriver {
  /** Begins a connection, and waits for nothing. */
  dial(target: ServerTarget, host: ServerHost): PendingConnection
  /**
   * Sets a session up and reads it back: each statement reads what is committed,
   * characters arrive as they were sent, nothing is cut to fit. Throws if it is
   * not so, and if this host does not take writes, so that another one is tried:
   * what a replica answers may be stale. Returns the server's name for the session.
   */
  setUp(connection: RawConnection, use: SessionUse): Promise<string>
  /** Throws unless the session still is as it was set up: a pooler may have changed it. */
  verify(connection: RawConnection, use: SessionUse): Promise<void>
  /** Asks, as text, for the `id` of each session of this user that is at work on a statement at this moment. */
  readonly sessionsAtWork: string
  /** An update that matches nothing, refused by a server that takes no writes. */
  readonly probe: string
}

/** A connection that is silent for so long is probed by the system, to find out whether its other side is still there. */
export const KEEPALIVE_AFTER_MS = 10_000

/** A value as drivers of servers take it. */
export type Bindable = string | number | boolean | Buffer | null

export function bindable(value: unknown): Bindable {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value)
  throw new TypeError(`a ${typeof value} cannot be stored`)
}
