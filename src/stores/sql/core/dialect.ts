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

/** A statement and its values, as drivers take them. */
export type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>

/** The same as Kysely compiles it. */
export interface Query extends Pick<CompiledQuery, 'sql' | 'parameters' | 'query'> {
  readonly rowWrite?: RowWrite
}

/** A statement of a recorded transaction, and how many rows it must write for the transaction to stand. */
export interface RecordedStatement extends Statement {
  readonly affects: number
  readonly rowWrite?: RowWrite
}

/** What a statement writes that writes one row, found by its primary key. */
export interface RowWrite {
  /** Names the row among those of all tables. */
  readonly row: string
  readonly values: object
  readonly statements: MultiRowStatements
}

/** Statements of the same text that write one row each, put as fewer statements of many rows. */
export interface MultiRowStatements {
  /** `values`: those of each row. No row is named twice. */
  together(values: readonly object[]): readonly RecordedStatement[]
}

export interface StatementResult {
  readonly rows: unknown[]
  /** Rows inserted, deleted, or matched by an update. */
  readonly affected: number
}

/** Runs one statement; throws nothing but `DatabaseError`. */
export type Execute = (statement: Statement) => Promise<StatementResult>

/** A statement that is run several times, each time with its share of the parameters. */
export interface RepeatedStatement extends Statement {
  readonly times: number
}

/** Everything that one batch of calls writes, as one transaction. */
export interface ChainedBatch {
  /** These come first. Unless each goes as recorded, nothing of the batch is written. */
  readonly recorded: readonly (readonly RecordedStatement[])[]
  readonly inserts: readonly RepeatedStatement[]
  /**
   * Moves the head of the audit chain from where the batch before left it. If that one was not
   * committed, it finds no row, or is refused: as the pipeline wants it.
   */
  readonly head: Statement
}

/** How a pipeline wants its batches. */
export interface BatchForm {
  /** Whether recorded transactions may be among them. */
  readonly takesRecorded: boolean
  /** Whether rows are inserted one a statement, which is cheaper where a statement costs no round trip. */
  readonly rowByRow: boolean
  /** Whether a head that is not where it should be is refused: a commit that travels along must not be reached. */
  readonly refusesLostHead: boolean
}

/** Commits batches one behind the other, without waiting for those before. */
export interface CommitPipeline {
  readonly form: BatchForm
  /**
   * Commits a batch, perhaps in one transaction with others that wait; resolves after
   * the commit is durable with whether each recorded transaction stands. Unless all do,
   * nothing is written. `null`: nothing is, for the batch before was not committed.
   */
  commitNext(batch: ChainedBatch): Promise<readonly boolean[] | null>
}

/** A connection that writes, used by one transaction at a time. */
export interface Writer {
  /** `null`: each batch waits for the one before. */
  readonly pipeline: CommitPipeline | null
  readonly execute: Execute
  /** Runs the statements in a transaction of their own; resolves after the commit is durable. */
  batch(statements: readonly Statement[]): Promise<void>
  begin(): Promise<void>
  commit(): Promise<void>
  /** Never throws: what cannot be rolled back has lost its connection, which rolls it back. */
  rollback(): Promise<void>
  /** Finds out whether a write would succeed now; throws if not. */
  probe(): Promise<void>
  /** Whether recorded transactions of different calls share a commit here, where that is cheaper than one for each. */
  readonly runsRecorded: boolean
  /**
   * Begins a transaction, leaves it open, and runs each recorded one in it whole or
   * not at all. Tells of each whether it stands: every statement wrote as many rows
   * as it must.
   */
  beginRecorded(recorded: readonly (readonly RecordedStatement[])[]): Promise<readonly boolean[]>
  /** Runs the last statements of the open transaction and commits; resolves after the commit is durable. What fails is rolled back. */
  commitAfter(statements: readonly Statement[]): Promise<void>
}

/** Runs work that belongs to the writer's open transaction; if it fails, the transaction is rolled back. */
export async function orRollBack<T>(writer: Pick<Writer, 'rollback'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await writer.rollback()
    throw error
  }
}

/** The connections that write, by what they serve. */
export interface Writers {
  readonly append: Writer
  /** Runs recorded transactions: the one that appends, or another one; `null`: nothing is run speculatively here. */
  readonly speculative: Writer | null
  /** Where there are none, transactions take turns with what is appended. */
  readonly transactions: readonly Writer[]
}

/** A database that was opened. */
export interface Connected {
  /** Reads what is committed. */
  readonly execute: Execute
  /** The same for what may look through a whole table: however long it takes, it keeps nobody else waiting. */
  readonly scan: Execute
  readonly writers: Writers
  /** Throws unless what is read is what was committed last, here or on another node. */
  checkReads(): Promise<void>
  /** Of the connections that read. */
  readLoad(): PoolLoad
  close(): Promise<void>
}

/** A connection that changes the schema. */
export interface MigrationSession {
  /**
   * With a `place` nobody looks at the result: a session may run the statement together with later ones. Where it is
   * then refused, the refusal begins with its place.
   */
  readonly execute: (statement: Statement, place?: string) => Promise<StatementResult>
  readonly types: ColumnTypes
  /** Runs `work` while no other migrator can; on an embedded database all of it stands or nothing. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** Inside `exclusively`: lets all writes of `work` stand or none. Schema changes are not among them. */
  transaction(work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** How columns and tables are spelled. */
export interface ColumnTypes {
  /** Text of at most so many characters, compared byte by byte, trailing spaces included. */
  identifier(length: number): RawBuilder<unknown>
  readonly text: RawBuilder<unknown>
  /** 32 bytes. */
  readonly hash: RawBuilder<unknown>
  /** 16 bytes. */
  readonly key: RawBuilder<unknown>
  /** At most 64 KiB. */
  readonly bytes: RawBuilder<unknown>
  /** Milliseconds since 1970, or a span of them. */
  readonly epochMs: RawBuilder<unknown>
  readonly integer: RawBuilder<unknown>
  /** 0 or 1. */
  readonly flag: RawBuilder<unknown>
  table<T extends string, C extends string>(builder: CreateTableBuilder<T, C>): CreateTableBuilder<T, C>
  /** Leaves rows without a value out of an index, where the database can. */
  ofPresent<C>(builder: CreateIndexBuilder<C>, column: C & string): CreateIndexBuilder<C>
  dropIndex(db: Kysely<unknown>, table: string, name: string): Promise<void>
  /** Makes the database itself refuse to change or delete the rows of a table. */
  makeAppendOnly(db: Kysely<unknown>, table: string, key: string): Promise<void>
  /** Lets them be changed again; does nothing where they can be. */
  dropAppendOnly(db: Kysely<unknown>, table: string): Promise<void>
  /** Asks for the names of all tables that a name without a schema may mean. */
  readonly tableNames: RawBuilder<{ readonly name: string }>
  /** Whether an error says that what it refuses to change is so already; nothing is where all of `exclusively` is rolled back. */
  isAlreadyDone(error: unknown): boolean
}

/** How a database is talked to. */
export interface ConnectionSettings {
  /** Of an embedded database: how large its write-ahead log may get before it is folded back, in bytes. */
  readonly walLimit: number
  /** Connections of this process at most: two in five read, the others write. */
  readonly poolSize: number
  readonly connectTimeoutMs: number
  /** A statement that takes longer has lost its connection. */
  readonly statementTimeoutMs: number
  /** `null`: plaintext. `ca` holds certificates in PEM; `null`: those that Node.js trusts. */
  readonly tls: { readonly ca: string | null } | null
  /** Lets QScope in where no user does; `null`: none is sent. */
  readonly authToken: string | null
}

/** Everything in which databases differ. */
export interface Dialect {
  readonly name: DialectName
  readonly kysely: Pick<KyselyDialect, 'createAdapter' | 'createQueryCompiler' | 'createIntrospector'>
  /** The time by the database's clock, in whole milliseconds since 1970, as a statement that uses it begins. */
  readonly now: RawBuilder<StoredInt>
  connect(url: string, settings: ConnectionSettings, log: Logger): Promise<Connected>
  connectForMigration(url: string, settings: ConnectionSettings, log: Logger): Promise<MigrationSession>
  /** What an operator should know of the database: its version, and the settings that durability and isolation hang on. */
  diagnostics(execute: Execute): Promise<readonly Diagnostic[]>
  /** How the database would run a statement; it is not run. */
  explain(execute: Execute, statement: Statement): Promise<StatementPlan>
}
