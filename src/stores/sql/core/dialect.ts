import type {
  CompiledQuery,
  CreateIndexBuilder,
  CreateTableBuilder,
  Kysely,
  Dialect as KyselyDialect,
  RawBuilder,
} from 'kysely'
import type { Logger } from '../../../context.ts'
import type { Diagnostic, DialectName, PoolLoad } from '../../contract/backend.ts'
import type { StatementPlan } from '../../contract/statement-plans.ts'
import type { StoredInt } from './schema.ts'

/** A statement and its parameters, as drivers take them. */
export type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>

/** A statement as Kysely compiles it. */
export interface Query extends Pick<CompiledQuery, 'sql' | 'parameters' | 'query'> {
  readonly rowWrite?: RowWrite
}

/** A statement of a recorded transaction, and the number of rows that it must write for the transaction to commit. */
export interface RecordedStatement extends Statement {
  readonly affects: number
  readonly rowWrite?: RowWrite
}

/** What a statement writes that writes one row, found by its primary key. */
export interface RowWrite {
  readonly values: object
  readonly statements: MultiRowStatements
}

/** Statements of the same text that write one row each, put as fewer statements of many rows. */
export interface MultiRowStatements {
  /** Names the row of these values among those of all tables. */
  nameOf(values: object): string
  /** `values`: those of each row. No row is named twice. */
  together(values: readonly object[]): readonly RecordedStatement[]
}

export interface StatementResult {
  readonly rows: unknown[]
  /** The number of rows inserted, deleted, or matched by an update. */
  readonly affected: number
}

/** Runs one statement. Throws only `DatabaseError`. */
export type Execute = (statement: Statement) => Promise<StatementResult>

/** A statement that runs several times, each time with its share of the parameters. */
export interface RepeatedStatement extends Statement {
  readonly times: number
}

/** The writes of one batch of calls, as one transaction. */
export interface ChainedBatch {
  /** Run first. If one of them does not run as recorded, nothing of the batch is written. */
  readonly recorded: readonly (readonly RecordedStatement[])[]
  readonly inserts: readonly RepeatedStatement[]
  /**
   * Moves the head of the audit chain from the end of the previous batch. If that batch was not committed, the statement
   * matches no row or fails, depending on `refusesLostHead`.
   */
  readonly head: Statement
}

/** The form in which a pipeline takes batches. */
export interface BatchForm {
  /** Whether batches may contain recorded transactions. */
  readonly takesRecorded: boolean
  /** Whether each statement inserts one row. This is cheaper if a statement costs no round trip. */
  readonly rowByRow: boolean
  /** Whether the head statement fails instead of matching no row. A commit that was sent with it is then not reached. */
  readonly refusesLostHead: boolean
}

/** Commits batches in sequence without waiting for the previous ones. */
export interface CommitPipeline {
  readonly form: BatchForm
  /**
   * Commits a batch, possibly in one transaction with other waiting batches. Resolves after the commit is durable and tells
   * for each recorded transaction whether it ran as recorded. If one did not, nothing is written. `null`: nothing is written,
   * because the previous batch was not committed.
   */
  commitNext(batch: ChainedBatch): Promise<readonly boolean[] | null>
}

/** A connection that writes. One transaction uses it at a time. */
export interface Writer {
  /** `null`: each batch waits for the previous one. */
  readonly pipeline: CommitPipeline | null
  readonly execute: Execute
  /** Runs the statements in their own transaction. Resolves after the commit is durable. */
  batch(statements: readonly Statement[]): Promise<void>
  begin(): Promise<void>
  commit(): Promise<void>
  /** Never throws. If the rollback fails, the connection is lost, and the server rolls back. */
  rollback(): Promise<void>
  /** Tests whether a write would succeed now. Throws if not. */
  probe(): Promise<void>
  /** Whether recorded transactions of different calls share a commit. Used where this is cheaper than one commit for each. */
  readonly runsRecorded: boolean
  /**
   * Begins a transaction, runs each recorded one in it completely or not at all, and leaves it open. Tells for each whether
   * it ran as recorded: every statement wrote the required number of rows.
   */
  beginRecorded(recorded: readonly (readonly RecordedStatement[])[]): Promise<readonly boolean[]>
  /** Runs the last statements of the open transaction and commits. Resolves after the commit is durable. A failure rolls it back. */
  commitAfter(statements: readonly Statement[]): Promise<void>
}

/** Runs `work` in the writer's open transaction and rolls it back if `work` fails. */
export async function orRollBack<T>(writer: Pick<Writer, 'rollback'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await writer.rollback()
    throw error
  }
}

/** The connections that write, by purpose. */
export interface Writers {
  readonly append: Writer
  /** Runs recorded transactions. May be the same as `append`. `null`: nothing runs speculatively here. */
  readonly speculative: Writer | null
  /** Empty: transactions take turns with appends. */
  readonly transactions: readonly Writer[]
}

/** An open database. */
export interface Connected {
  /** Reads committed data. */
  readonly execute: Execute
  /** The same for statements that may scan a table. A long scan does not delay other reads. */
  readonly scan: Execute
  readonly writers: Writers
  /** Throws unless reads return the latest committed data, including commits on other nodes. */
  checkReads(): Promise<void>
  /** The load of the connections that read. */
  readLoad(): PoolLoad
  close(): Promise<void>
}

/** A connection that changes the schema. */
export interface MigrationSession {
  /**
   * With `place`, the caller ignores the result, and the session may send the statement together with later ones. The message
   * of a failure then begins with the place.
   */
  readonly execute: (statement: Statement, place?: string) => Promise<StatementResult>
  readonly types: ColumnTypes
  /** Runs `work` while no other migrator can run. On an embedded database all of it is one transaction. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** Inside `exclusively`: commits all row changes of `work` or none. Schema changes are not included. */
  transaction(work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** The column types and table options of a dialect. */
export interface ColumnTypes {
  /** Text of at most `length` characters, compared byte by byte, including trailing spaces. */
  identifier(length: number): RawBuilder<unknown>
  readonly text: RawBuilder<unknown>
  /** 32 bytes. */
  readonly hash: RawBuilder<unknown>
  /** 16 bytes. */
  readonly key: RawBuilder<unknown>
  /** At most 64 KiB. */
  readonly bytes: RawBuilder<unknown>
  /** Milliseconds since 1970, or a duration in milliseconds. */
  readonly epochMs: RawBuilder<unknown>
  readonly integer: RawBuilder<unknown>
  /** 0 or 1. */
  readonly flag: RawBuilder<unknown>
  table<T extends string, C extends string>(builder: CreateTableBuilder<T, C>): CreateTableBuilder<T, C>
  /** Excludes rows without a value from an index, if the database supports it. */
  ofPresent<C>(builder: CreateIndexBuilder<C>, column: C & string): CreateIndexBuilder<C>
  dropIndex(db: Kysely<unknown>, table: string, name: string): Promise<void>
  /** Makes the database itself reject changes and deletions of a table's rows. */
  makeAppendOnly(db: Kysely<unknown>, table: string, key: string): Promise<void>
  /** Undoes `makeAppendOnly`. Does nothing if the rows can be changed. */
  dropAppendOnly(db: Kysely<unknown>, table: string): Promise<void>
  /** Selects the names of all tables that can be named without a schema. */
  readonly tableNames: RawBuilder<{ readonly name: string }>
  /** Whether an error means that a schema change is already done. Always `false` where `exclusively` is one transaction. */
  isAlreadyDone(error: unknown): boolean
}

/** The settings of connections to a database. */
export interface ConnectionSettings {
  /** Embedded databases: the size in bytes at which the write-ahead log is checkpointed. */
  readonly walLimit: number
  /** The most connections of this process. Two in five read, the others write. */
  readonly poolSize: number
  readonly connectTimeoutMs: number
  /** After this time without an answer, a statement's connection counts as lost. */
  readonly statementTimeoutMs: number
  /** `null`: plaintext. `ca`: certificates in PEM. `ca: null`: the CAs that Node.js trusts. */
  readonly tls: { readonly ca: string | null } | null
  /** Authenticates QScope to a database without users. `null`: none is sent. */
  readonly authToken: string | null
}

/** Everything that differs between databases. */
export interface Dialect {
  readonly name: DialectName
  readonly kysely: Pick<KyselyDialect, 'createAdapter' | 'createQueryCompiler' | 'createIntrospector'>
  /** The database's clock at the start of the statement, in whole milliseconds since 1970. */
  readonly now: RawBuilder<StoredInt>
  connect(url: string, settings: ConnectionSettings, log: Logger): Promise<Connected>
  connectForMigration(url: string, settings: ConnectionSettings, log: Logger): Promise<MigrationSession>
  /** Information for operators: the version, and the settings that affect durability and isolation. */
  diagnostics(execute: Execute): Promise<readonly Diagnostic[]>
  /** How the database would run a statement. The statement is not run. */
  explain(execute: Execute, statement: Statement): Promise<StatementPlan>
}
