import { type Kysely, sql } from 'kysely'
import type { BatchScheduler } from '../../../batching.ts'
import { backgroundContext, type Logger } from '../../../context.ts'
import type { EpochMs } from '../../../domain/ids.ts'
import type {
  AppendStores,
  Backend,
  BackendHealth,
  BackendLoad,
  Diagnostic,
  DialectName,
  Ending,
  Maintenance,
  PoolLoad,
  ReadStores,
  TransactionStores,
} from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { StoreError } from '../../contract/errors.ts'
import type { SchemaState } from '../../contract/schema-state.ts'
import type { StoreObserver } from '../../contract/store-observer.ts'
import { DatabaseError, observed, storeError, withStoreErrors } from '../core/database-error.ts'
import type { Connected, Dialect, Execute, Writer } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import { backOff, isRetryable } from '../core/retry.ts'
import { moment } from '../core/rows.ts'
import type { Database, StoredInt } from '../core/schema.ts'
import { readBookkeeping, schemaStateOf } from '../migrate/bookkeeping.ts'
import { MIGRATIONS } from '../migrate/steps/all.ts'
import type { MigrationStep } from '../migrate/steps/migration-step.ts'
import { readStores } from '../tables/stores.ts'
import { BatchCommit } from './batch-commit.ts'
import { ConnectionPool } from './connection-pool.ts'
import { BatchedSource } from './data-loader.ts'
import { GroupCommit } from './group-commit.ts'
import { SqlMaintenance } from './maintenance.ts'
import { SpeculativeTransactions } from './speculative-transactions.ts'
import { TransactionRunner } from './transaction-runner.ts'
import { WriteSession, type WriteSessionParts } from './write-session.ts'

/** The time limit of a health check, and the part of it for waiting for a lock. */
const CHECK_MS = 2_000
const PROBE_PATIENCE_MS = 1_000

export interface BackendParts extends WriteSessionParts {
  readonly log: Logger
  /** In [0, 1). Spreads retries. */
  readonly jitter: () => number
  /** Shared with everything that starts calls. */
  readonly scheduler: BatchScheduler
  /** The most waiting calls for each kind of connection. */
  readonly maxQueuedCalls: number
  readonly observer?: StoreObserver | undefined
  /** The migrations that this server knows. Default: all. */
  readonly migrations?: readonly MigrationStep[]
}

/** A group commit and its connection. */
interface CommitLane {
  readonly pool: ConnectionPool<WriteSession>
  readonly commits: GroupCommit
}

/** The stores on a database of any dialect. */
export class SqlBackend implements Backend {
  readonly dialect: DialectName
  readonly reads: ReadStores
  readonly maintenance: Maintenance
  readonly #dialect: Dialect
  readonly #connected: Connected
  readonly #parts: BackendParts
  readonly #execute: Execute
  /** Reads whatever the schema's state. */
  readonly #anySchema: Kysely<Database>
  readonly #source: BatchedSource
  readonly #appends: CommitLane
  /** All connections that commit batches. One may serve both appends and speculative transactions. */
  readonly #lanes: readonly CommitLane[]
  readonly #transactionPool: ConnectionPool<WriteSession>
  readonly #transactions: TransactionRunner | SpeculativeTransactions
  /** The problem of the schema. While there is one, all other reads and writes fail. */
  #misfit: string | null = null
  #closing: Promise<void> | null = null

  constructor(dialect: Dialect, connected: Connected, parts: BackendParts) {
    const { observer, jitter, log, maxQueuedCalls, scheduler } = parts
    const { writers } = connected
    this.dialect = dialect.name
    this.#dialect = dialect
    this.#connected = connected
    this.#parts = parts
    this.#execute = throwingStoreErrors(connected.execute)
    this.#anySchema = kyselyOver<Database>(dialect.kysely, { execute: this.#execute })
    const db = this.#whereSchemaFits(this.#execute)
    this.#source = new BatchedSource(db, this.#whereSchemaFits(throwingStoreErrors(connected.scan)), {
      maxWaiting: maxQueuedCalls,
      scheduler,
      observer,
    })
    this.reads = readStores(this.#source, dialect.now)

    this.#appends = this.#laneOf(writers.append)
    const speculative =
      writers.speculative === writers.append ? this.#appends : writers.speculative && this.#laneOf(writers.speculative)
    this.#lanes = [...new Set([this.#appends, speculative ?? this.#appends])]
    this.#transactionPool =
      writers.transactions.length === 0
        ? this.#appends.pool
        : new ConnectionPool(
            writers.transactions.map((writer) => new WriteSession(dialect, writer, parts)),
            maxQueuedCalls,
          )
    const alone = new TransactionRunner(this.#transactionPool, jitter, observer)
    this.#transactions = speculative === null ? alone : new SpeculativeTransactions(speculative.commits, alone, dialect)

    this.maintenance = new SqlMaintenance(db, dialect.now, (work) => {
      const ctx = backgroundContext('housekeeping', log)
      return observed(observer?.transactionBegun(undefined), () => alone.runBare(ctx, work))
    })
  }

  async append(ctx: StoreContext, fill: (stores: AppendStores) => void): Promise<void> {
    this.#refuseMisfit()
    await this.#appends.commits.add(ctx, fill)
  }

  /** An observer sees one transaction, however often it is run, speculatively or alone. */
  async transaction<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T> {
    this.#refuseMisfit()
    return await observed(this.#parts.observer?.transactionBegun(ctx.span), () => this.#transactions.run(ctx, work))
  }

  async check(): Promise<BackendHealth> {
    const signal = AbortSignal.timeout(CHECK_MS)
    const seen = { readable: false }
    try {
      const problem = await withinTime(this.#examine(signal, seen), signal)
      return problem === null ? { serving: true } : { serving: false, problem, ...seen, answers: true }
    } catch (error) {
      const inTime = !signal.aborted
      const problem = inTime ? messageOf(error) : NO_ANSWER
      return { serving: false, problem, ...seen, answers: inTime || seen.readable }
    }
  }

  async checkReads(): Promise<void> {
    await withStoreErrors(() => this.#connected.checkReads())
  }

  async schema(): Promise<SchemaState> {
    const bookkeeping = await readBookkeeping(this.#anySchema)
    return schemaStateOf(bookkeeping, this.#parts.migrations ?? MIGRATIONS)
  }

  async clock(): Promise<EpochMs> {
    const { rows } = await this.#anySchema.executeQuery(
      sql<{ readonly now: StoredInt }>`select ${this.#dialect.now} as now`.compile(this.#anySchema),
    )
    return moment(rows[0]?.now, 'now')
  }

  async diagnostics(): Promise<readonly Diagnostic[]> {
    return await this.#dialect.diagnostics(this.#execute)
  }

  load(): BackendLoad {
    return {
      pools: {
        read: this.#connected.readLoad(),
        append: together(this.#lanes.map(({ pool }) => pool.load)),
        transaction: this.#transactionPool.load,
      },
      waitingEntries: this.#lanes.reduce((sum, { commits }) => sum + commits.waiting, 0),
      waitingLookUps: this.#source.waiting,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ commits }) => commits.close()))
    await Promise.all([...this.#lanes.map(({ pool }) => pool), this.#transactionPool].map((pool) => pool.close()))
    await this.#connected.close()
  }

  #laneOf(writer: Writer): CommitLane {
    const { jitter, maxQueuedCalls, observer } = this.#parts
    const session = new WriteSession(this.#dialect, writer, this.#parts)
    const pool = new ConnectionPool([session], maxQueuedCalls)
    return { pool, commits: new GroupCommit(new BatchCommit(pool, session, jitter), maxQueuedCalls, jitter, observer) }
  }

  #whereSchemaFits(execute: Execute): Kysely<Database> {
    return kyselyOver<Database>(this.#dialect.kysely, {
      execute: async (statement) => {
        this.#refuseMisfit()
        return await execute(statement)
      },
    })
  }

  #refuseMisfit(): void {
    if (this.#misfit !== null) throw new StoreError('unavailable', this.#misfit)
  }

  async #examine(signal: AbortSignal, seen: { readable: boolean }): Promise<string | null> {
    await this.#connected.checkReads()
    this.#misfit = (await this.schema()).problem
    seen.readable = this.#misfit === null
    if (this.#misfit === null) await this.#probe(signal)
    return this.#misfit
  }

  /** A lock that is released soon is not a problem. */
  async #probe(signal: AbortSignal): Promise<void> {
    const until = Date.now() + PROBE_PATIENCE_MS
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.#appends.pool.use({ signal, deadline: null }, ({ writer }) => writer.probe())
      } catch (error) {
        if (!isRetryable(error, attempts, until)) throw error
        await backOff(attempts, until, this.#parts.jitter)
      }
    }
  }
}

function together(loads: readonly PoolLoad[]): PoolLoad {
  const sum = (of: (load: PoolLoad) => number) => loads.reduce((all, load) => all + of(load), 0)
  return { size: sum(({ size }) => size), used: sum(({ used }) => used), waiting: sum(({ waiting }) => waiting) }
}

const NO_ANSWER = `the database did not answer within ${CHECK_MS / 1_000} s`

function throwingStoreErrors(execute: Execute): Execute {
  return async (statement) => {
    try {
      return await execute(statement)
    } catch (error) {
      throw storeError(error)
    }
  }
}

async function withinTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return await Promise.race([work, promise])
}

function messageOf(error: unknown): string {
  if (error instanceof StoreError || error instanceof DatabaseError) return error.message
  return error instanceof Error ? `the database cannot be used: ${error.message}` : 'the database cannot be used'
}
