import type { Logger } from '../../../../context.ts'
import type { PoolLoad } from '../../../contract/backend.ts'
import type { Connected, Statement, StatementResult, Writers } from '../../core/dialect.ts'
import { FileErrors } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import type { SqliteLibrary } from './library.ts'
import { walLimitFor } from './location.ts'
import { SqliteScanner } from './scanner.ts'
import { SqliteWriter } from './writer.ts'

/** A reader meets a lock only during a recovery or checkpoint of the log. */
const READER_BUSY_TIMEOUT_MS = 50
/** The single reading connection answers synchronously, so nothing ever waits. */
const READ_AT_ONCE: PoolLoad = Object.freeze({ size: 1, used: 0, waiting: 0 })

/** The connections to one file: one writer and one scanner, each in its own thread, and one reader in this thread. */
export class SqliteDatabase implements Connected {
  readonly writers: Writers
  readonly #errors: FileErrors
  readonly #reader: SqliteHandle
  readonly #writer: SqliteWriter
  readonly #scanner: SqliteScanner | null

  private constructor(errors: FileErrors, reader: SqliteHandle, writer: SqliteWriter, scanner: SqliteScanner | null) {
    this.#errors = errors
    this.#reader = reader
    this.#writer = writer
    this.#scanner = scanner
    // One transaction writes at a time.
    this.writers = { append: writer, speculative: writer, transactions: [] }
  }

  /**
   * `mayReopen`: whether the file has a name by which it can be opened again. The writer opens first, because a reader cannot
   * create the log.
   */
  static async open(
    library: SqliteLibrary,
    file: string,
    maxWalBytes: number,
    log: Logger,
    mayReopen: boolean,
  ): Promise<SqliteDatabase> {
    const walLimit = walLimitFor(file, maxWalBytes)
    const errors = new FileErrors(file)
    const writer = new SqliteWriter(library, errors, walLimit, log, mayReopen)
    await writer.open()
    try {
      const reader = errors.guard(
        () => new SqliteHandle(library.open(file, { readonly: true, timeout: READER_BUSY_TIMEOUT_MS })),
      )
      reader.setUp(walLimit)
      // An unlinked file cannot be opened a third time.
      return new SqliteDatabase(errors, reader, writer, mayReopen ? new SqliteScanner(library, errors, walLimit) : null)
    } catch (error) {
      await writer.close()
      throw error
    }
  }

  execute = async (statement: Statement): Promise<StatementResult> =>
    this.#errors.guard(() => this.#reader.run(statement))

  scan = (statement: Statement): Promise<StatementResult> => (this.#scanner ?? this).execute(statement)

  async checkReads(): Promise<void> {
    // There is one file, and no other host.
  }

  readLoad(): PoolLoad {
    return READ_AT_ONCE
  }

  async close(): Promise<void> {
    this.#reader.close()
    await this.#scanner?.close()
    await this.#writer.close()
  }
}
