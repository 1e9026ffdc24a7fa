import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerHost } from '../../../domain/server-url.ts'
import { DatabaseError, UnansweredError, UnfitHostError } from '../core/database-error.ts'
import type { Statement, StatementResult } from '../core/dialect.ts'
import { diagnosticRows } from '../diagnostics.ts'
import type { RawConnection, ServerDriver, ServerTarget, Written } from './driver.ts'
import { type Hosts, openConnection } from './open-connection.ts'

/**
 * Distinguishes a slow statement from a dead connection: if a firewall dropped the connection or the host lost power, the
 * socket stays open without answers. Another connection asks the server which sessions are executing. Concurrent callers
 * share the answer.
 */
export class SessionWatch {
  readonly #driver: ServerDriver
  readonly #target: ServerTarget
  readonly #asked = new Map<ServerHost, Promise<ReadonlySet<string> | null>>()

  constructor(driver: ServerDriver, target: ServerTarget) {
    this.#driver = driver
    this.#target = { ...target, multiStatements: false, use: 'writes' }
  }

  /** Whether the server may still be executing a statement of this session. `false`: it is not, or cannot be reached. */
  async isAtWork(host: ServerHost, session: string): Promise<boolean> {
    let asked = this.#asked.get(host)
    if (asked === undefined) {
      asked = this.#ask(host).finally(() => this.#asked.delete(host))
      this.#asked.set(host, asked)
    }
    const atWork = await asked
    return atWork === null || atWork.has(session)
  }

  /** `null`: the server is reachable but does not answer this query. */
  async #ask(host: ServerHost): Promise<ReadonlySet<string> | null> {
    try {
      const { connection } = await openConnection(this.#driver, this.#target, host)
      // A destroyed connection fails as lost.
      const timer = setTimeout(() => connection.destroy(), this.#target.settings.connectTimeoutMs)
      try {
        const rows = await diagnosticRows(({ sql }) => connection.query(sql), this.#driver.sessionsAtWork)
        return new Set(rows.map((row) => row.get('id') ?? ''))
      } finally {
        clearTimeout(timer)
        connection.destroy()
      }
    } catch (error) {
      const isAway = error instanceof DatabaseError && error.kind === 'lost'
      return isAway ? new Set() : null
    }
  }
}

/** A connection that is opened on demand and reopened after a loss, on any working host. */
export class ServerConnection {
  readonly #driver: ServerDriver
  readonly #target: ServerTarget
  readonly #hosts: Hosts
  readonly #sessions: SessionWatch
  #raw: RawConnection | null = null
  #host: ServerHost | null = null
  #session: string | null = null
  #closed = false
  /** One timer for all statements. It runs on, and has an effect only during a statement. */
  #timer: NodeJS.Timeout | null = null
  /** Fails the statement in progress. */
  #expire: ((why: DatabaseError) => void) | null = null

  constructor(driver: ServerDriver, target: ServerTarget, hosts: Hosts, sessions: SessionWatch) {
    this.#driver = driver
    this.#target = target
    this.#hosts = hosts
    this.#sessions = sessions
  }

  /** Opens the connection if it is closed, on the host of the others. */
  async ready(): Promise<void> {
    if (this.#closed) throw new DatabaseError('unavailable', 'the database is closing')
    if (this.#raw?.usable === true && this.#host !== null && this.#hosts.isPreferred(this.#host)) return
    this.drop()
    const { host, opened } = await this.#hosts.open((one) => openConnection(this.#driver, this.#target, one))
    if (this.#closed) {
      opened.connection.destroy()
      throw new DatabaseError('unavailable', 'the database is closing')
    }
    this.#host = host
    this.#raw = opened.connection
    this.#session = opened.session
  }

  /** Throws and closes the connection if the session's settings have changed. */
  async verify(): Promise<void> {
    try {
      await this.#run((raw) => this.#driver.verify(raw, this.#target.use))
    } catch (error) {
      this.drop()
      throw error
    }
  }

  execute(statement: Statement): Promise<StatementResult> {
    return this.#run((raw) => raw.execute(statement))
  }

  query(sql: string): Promise<StatementResult> {
    return this.#run((raw) => raw.query(sql))
  }

  /**
   * A host that does not confirm a commit in time may be waiting for unreachable members. All connections then leave it, and
   * it is tried last. If it is merely slow and the only one that takes writes, it is used again.
   */
  async commit(): Promise<void> {
    await this.#leftIfUnanswered(() => this.query('commit'))
  }

  async #leftIfUnanswered<T>(commit: () => Promise<T>): Promise<T> {
    const host = this.#host
    try {
      return await commit()
    } catch (error) {
      if (error instanceof UnansweredError && host !== null) this.#hosts.leave(host)
      throw error
    }
  }

  /** As `writeAll`, where the last statement commits. A host that does not answer in time is left as in `commit`. */
  async writeAndCommit(statements: readonly Statement[]): Promise<Written> {
    return await this.#leftIfUnanswered(() => this.writeAll(statements))
  }

  /** See `RawConnection.writeAll`. Requires a connection opened for it. */
  async writeAll(statements: readonly Statement[]): Promise<Written> {
    const written = await this.#run((raw) => raw.writeAll(statements))
    this.#leaveIfUnfit(written.failure)
    if (written.failure?.kind === 'lost') this.drop()
    return written
  }

  /** Whether the connection is open on a host that should be left. */
  get isLeft(): boolean {
    return this.#raw !== null && this.#host !== null && !this.#hosts.isPreferred(this.#host)
  }

  /** Closes the connection. A statement in progress fails as lost. */
  drop(): void {
    this.#raw?.destroy()
    this.#raw = null
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const raw = this.#raw
    this.#raw = null
    if (raw?.usable === true) await raw.end()
  }

  /** A broken connection is reopened later. An unresponsive server counts as lost. */
  async #run<T>(work: (raw: RawConnection) => Promise<T>): Promise<T> {
    const raw = this.#raw
    if (raw === null) throw new DatabaseError('lost', 'the connection to the database is lost')
    const { promise: expired, reject } = Promise.withResolvers<never>()
    this.#expire = reject
    this.#startTimer()
    try {
      return await Promise.race([work(raw), expired])
    } catch (error) {
      this.#leaveIfUnfit(error)
      const isGone = !raw.usable || (error instanceof DatabaseError && error.kind === 'lost')
      if (isGone || this.#expire === null) this.drop()
      throw error
    } finally {
      this.#expire = null
    }
  }

  #leaveIfUnfit(error: unknown): void {
    if (error instanceof UnfitHostError && this.#host !== null) this.#hosts.leave(this.#host)
  }

  #startTimer(): void {
    if (this.#timer !== null) {
      this.#timer.refresh()
      return
    }
    const { connectTimeoutMs, statementTimeoutMs } = this.#target.settings
    this.#timer = setTimeout(
      () => {
        if (this.#expire !== null) void this.#checkAlive(this.#expire)
      },
      Math.min(connectTimeoutMs, statementTimeoutMs),
    ).unref()
  }

  /** Runs when a statement takes longer than opening a connection. The statement may be slow, or the connection dead. */
  async #checkAlive(expire: (why: DatabaseError) => void): Promise<void> {
    const { connectTimeoutMs, statementTimeoutMs } = this.#target.settings
    const giveUp = (why: DatabaseError) => {
      // Another statement may be in progress by now.
      if (this.#expire !== expire) return
      this.#expire = null
      expire(why)
    }
    setTimeout(
      () => giveUp(new UnansweredError('unavailable', `the database did not answer within ${statementTimeoutMs} ms`)),
      statementTimeoutMs - connectTimeoutMs,
    ).unref()
    const [host, session] = [this.#host, this.#session]
    if (host === null || session === null || connectTimeoutMs >= statementTimeoutMs) return
    // A statement that is executing now may end later, and its answer may still get lost.
    while (await this.#sessions.isAtWork(host, session)) {
      await sleep(connectTimeoutMs, undefined, { ref: false })
      if (this.#expire !== expire) return
    }
    giveUp(
      new UnansweredError('lost', 'the connection to the database is dead: the server does not execute its statement'),
    )
  }
}

/** Whether a read or a begin should be retried on another connection. It did not meet a lock. */
export function isStale(error: unknown): boolean {
  return error instanceof DatabaseError && (error.kind === 'lost' || error.kind === 'conflict')
}
