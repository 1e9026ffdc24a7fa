import { Worker } from 'node:worker_threads'
import type { Logger } from '../../../../context.ts'
import { DatabaseError } from '../../core/database-error.ts'
import type {
  BatchForm,
  ChainedBatch,
  CommitPipeline,
  RecordedStatement,
  Statement,
  StatementResult,
  Writer,
} from '../../core/dialect.ts'
import type { FileErrors } from './errors.ts'
import type { SqliteLibrary } from './library.ts'
import {
  type Command,
  type CommandMessage,
  type CommonAnswerMessage,
  OPENED,
  packed,
  packedRecorded,
  packedRepeated,
  type WriterData,
} from './protocol.ts'
import type { WriterThread } from './serve-writer.ts'

/** The thread's garbage is short-lived. By default V8 lets 24 MB of it accumulate and never returns the memory. */
const YOUNG_GENERATION_MB = 3

/** Commands that commit. */
const COMMITTING: ReadonlySet<Command['kind']> = new Set(['batch', 'next', 'finish', 'commit'])

interface Pending {
  readonly command: Command | null
  readonly resolve: (result: StatementResult) => void
  readonly reject: (error: unknown) => void
}

/**
 * The main thread's side of the writer. If the thread dies, its pending commands fail, and the next command starts another
 * one, if the file can be reopened.
 */
export class SqliteWriter implements Writer, CommitPipeline {
  readonly #library: Pick<SqliteLibrary, 'writerThread'>
  readonly #errors: FileErrors
  readonly #file: string
  readonly #walLimit: number
  readonly #log: Logger
  readonly #mayReopen: boolean
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | null = null
  #opened: Promise<unknown> | null = null
  #isOpen = false
  #lastId = OPENED
  #closing = false

  constructor(
    library: Pick<SqliteLibrary, 'writerThread'>,
    errors: FileErrors,
    walLimit: number,
    log: Logger,
    mayReopen: boolean,
  ) {
    this.#library = library
    this.#walLimit = walLimit
    this.#errors = errors
    this.#file = errors.file
    this.#log = log
    this.#mayReopen = mayReopen
  }

  /** Opens the file and creates it if it is missing. Throws `DatabaseError`. */
  async open(): Promise<void> {
    const data: WriterData = { file: this.#file, walLimit: this.#walLimit }
    const worker = new Worker(this.#library.writerThread, {
      workerData: data,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    this.#worker = worker
    this.#opened = new Promise<StatementResult>((resolve, reject) => {
      this.#pending.set(OPENED, { command: null, resolve, reject })
    })
    worker.on('message', ({ ids, answer }: CommonAnswerMessage) => {
      // A thread that cannot open the file reports this and ends. This is not a crash.
      if (!answer.ok && ids.includes(OPENED) && this.#worker === worker) this.#worker = null
      for (const id of ids) {
        const pending = this.#pending.get(id)
        this.#pending.delete(id)
        if (answer.ok) pending?.resolve(answer.result)
        else pending?.reject(this.#errors.of(answer.failure))
      }
    })
    worker.on('error', (error) => this.#died(worker, error))
    worker.on('exit', () => this.#died(worker, null))
    try {
      await this.#opened
      this.#isOpen = true
    } catch (error) {
      if (this.#worker === worker) this.#worker = null
      await worker.terminate()
      throw error
    }
  }

  execute = (statement: Statement): Promise<StatementResult> =>
    this.#send({ kind: 'execute', statement: packed(statement) })

  async batch(statements: readonly Statement[]): Promise<void> {
    await this.#reopen()
    await this.#send({ kind: 'batch', statements: statements.map(packed) })
  }

  readonly pipeline = this
  /** The thread checks the rows of each statement and commits itself. */
  readonly form: BatchForm = Object.freeze({ takesRecorded: true, rowByRow: true, refusesLostHead: false })

  async commitNext({ recorded, inserts, head }: ChainedBatch): Promise<readonly boolean[] | null> {
    // If the thread is running, this must not wait: a later message must not overtake it.
    if (this.#worker === null || !this.#isOpen) await this.#reopen()
    const { rows, affected } = await this.#send({
      kind: 'next',
      recorded: recorded.map(packedRecorded),
      inserts: inserts.map(packedRepeated),
      head: packed(head),
    })
    if (affected === 1) return recorded.map(() => true)
    return rows.every(Boolean) ? null : rows.map((stands) => stands === true)
  }

  /** With one writing connection, separate transactions would only wait for each other's flush. */
  readonly runsRecorded = true

  async beginRecorded(recorded: readonly (readonly RecordedStatement[])[]): Promise<readonly boolean[]> {
    await this.#reopen()
    const { rows } = await this.#send({ kind: 'recorded', recorded: recorded.map(packedRecorded) })
    return rows.map((stands) => stands === true)
  }

  async commitAfter(statements: readonly Statement[]): Promise<void> {
    await this.#send({ kind: 'finish', statements: statements.map(packed) })
  }

  async begin(): Promise<void> {
    await this.#reopen()
    await this.#send({ kind: 'begin' })
  }

  async commit(): Promise<void> {
    await this.#send({ kind: 'commit' })
  }

  async rollback(): Promise<void> {
    try {
      if (this.#worker !== null) await this.#send({ kind: 'rollback' })
    } catch (error) {
      this.#log.warn({ err: error }, 'rollback failed; starting another writer')
      await this.#worker?.terminate()
    }
  }

  async probe(): Promise<void> {
    if (this.#errors.corruption !== null) throw this.#errors.corruption
    await this.#reopen()
    await this.#send({ kind: 'probe' })
  }

  async close(): Promise<void> {
    this.#closing = true
    const worker = this.#worker
    if (worker === null) return
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    await this.#send({ kind: 'close' })
    await gone
  }

  /** A transaction must not continue in a new thread. Only the begin starts one. */
  async #reopen(): Promise<void> {
    if (this.#worker !== null) {
      await this.#opened
      return
    }
    if (this.#closing || !this.#mayReopen) throw this.#gone()
    await this.open()
  }

  /** {@link WriterThread.answerTo} carries it out. */
  #send(command: Command): Promise<StatementResult> {
    const worker = this.#worker
    if (worker === null) return Promise.reject(this.#gone())
    const { promise, resolve, reject } = Promise.withResolvers<StatementResult>()
    this.#lastId += 1
    this.#pending.set(this.#lastId, { command, resolve, reject })
    const message: CommandMessage = { id: this.#lastId, command }
    worker.postMessage(message)
    return promise
  }

  #died(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = null
    this.#isOpen = false
    if (!this.#closing) this.#log.error({ err: error, file: this.#file }, 'the database writer thread exited')
    for (const { command, reject } of this.#pending.values()) {
      const mayStand = command !== null && COMMITTING.has(command.kind)
      reject(
        mayStand
          ? new DatabaseError('outcome_unknown', `the writer of ${this.#file} died while committing`, error)
          : this.#gone(error),
      )
    }
    this.#pending.clear()
  }

  #gone(cause?: unknown): DatabaseError {
    return new DatabaseError('unavailable', `the writer of the database ${this.#file} is gone`, cause)
  }
}
