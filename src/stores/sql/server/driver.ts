import type { ServerHost, ServerUrl } from '../../../domain/server-url.ts'
import type { ConnectionSettings, Execute, StatementResult } from '../dialect.ts'

/** A connection as a driver gives it. Throws nothing but `DatabaseTrouble`; runs one statement at a time. */
export interface RawConnection {
  /** Whether it is still there, as far as the driver knows. */
  readonly usable: boolean
  /** Runs a prepared statement. */
  readonly execute: Execute
  /** Runs text as it is: what cannot be prepared, or is said once. */
  say(sql: string): Promise<StatementResult>
  end(): Promise<void>
  /** Cuts it off: what runs on it fails as lost. */
  destroy(): void
}

/** Where a database is, and how it is talked to. */
export interface ServerTarget {
  readonly url: ServerUrl
  readonly settings: ConnectionSettings
}

/** What a database on a server brings of its own. */
export interface ServerDriver {
  /**
   * Opens a connection that is set up: each statement reads what is committed,
   * nothing is cut to fit. Throws if this host does not take writes, so that
   * another one is tried: what a replica says may be stale.
   */
  open(target: ServerTarget, host: ServerHost): Promise<RawConnection>
  /** An update that matches nothing, refused by a server that takes no writes. */
  readonly probe: string
}
