import type { ServerHost, ServerUrl } from '../../../domain/server-url.ts'
import type { ConnectionSettings, Execute, Statement, StatementResult } from '../dialect.ts'
import type { DatabaseTrouble } from '../trouble.ts'

/** A connection as a driver gives it. Throws nothing but `DatabaseTrouble`; runs one statement at a time. */
export interface RawConnection {
  /** Whether it is still there, as far as the driver knows. */
  readonly usable: boolean
  /** Runs a prepared statement. */
  readonly execute: Execute
  /** Runs text as it is: what cannot be prepared, or is said once. */
  say(sql: string): Promise<StatementResult>
  /**
   * Runs statements that answer no rows in one round trip, up to the first that the
   * server refuses. Throws if it gave no answer: then any number of them may have been
   * run. `null` where the connection was not opened for it.
   */
  readonly writeAll: ((statements: readonly Statement[]) => Promise<Written>) | null
  end(): Promise<void>
  /** Cuts it off: what runs on it fails as lost. */
  destroy(): void
}

/** How far a list of statements came. */
export interface Written {
  /** Of each that was run, how many rows it wrote, or matched. */
  readonly affected: readonly number[]
  /** Why the one after these was refused, and none after it run. */
  readonly failure: DatabaseTrouble | null
}

/** Where a database is, and how it is talked to. */
export interface ServerTarget {
  readonly url: ServerUrl
  readonly settings: ConnectionSettings
  /** Whether one round trip shall be able to carry many statements. */
  readonly manyAtOnce: boolean
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
  /** Whether a connection can be opened for many statements at once. */
  readonly sendsManyAtOnce: boolean
}
