import { Worker } from 'node:worker_threads'
import { DatabaseError } from '../../core/database-error.ts'
import type { Statement, StatementResult } from '../../core/dialect.ts'
import type { FileErrors } from './errors.ts'
import type { SqliteLibrary } from './library.ts'
import { type AnswerMessage, OPENED, type Packed, packed } from './protocol.ts'
import type { ScanMessage, ScanThreadData } from './serve-scanner.ts'

/** The answer to this message is ignored. */
const CLOSE = -1

interface Pending {
  readonly resolve: (result: StatementResult) => void
  readonly reject: (error: unknown) => void
}

interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, Pending>
  readonly opened: Promise<StatementResult>
}

/**
 * Runs long queries in a thread that is started on demand. If the thread dies, its pending queries fail, and the next query
 * starts another.
 */
export class SqliteScanner {
  readonly #library: Pick<SqliteLibrary, 'scanThread'>
  readonly #errors: FileErrors
  readonly #walLimit: number
  #thread: Thread | null = null
  #lastId = OPENED
  #closed = false

  constructor(library: Pick<SqliteLibrary, 'scanThread'>, errors: FileErrors, walLimit: number) {
    this.#library = library
    this.#errors = errors
    this.#walLimit = walLimit
  }

  execute = async (statement: Statement): Promise<StatementResult> => {
    if (this.#closed) throw this.#gone()
    this.#thread ??= this.#start()
    const thread = this.#thread
    await thread.opened
    return await this.#ask(thread, packed(statement))
  }

  async close(): Promise<void> {
    this.#closed = true
    const thread = this.#thread
    if (thread === null) return
    const gone = new Promise((resolve) => thread.worker.once('exit', resolve))
    // The thread processes this after its earlier messages. If it dies before, it is closed as well.
    thread.worker.postMessage({ id: CLOSE, statement: null } satisfies ScanMessage)
    await gone
  }

  #start(): Thread {
    const data: ScanThreadData = { file: this.#errors.file, walLimit: this.#walLimit }
    const worker = new Worker(this.#library.scanThread, { workerData: data, execArgv: [] })
    const pending = new Map<number, Pending>()
    const { promise: opened, resolve, reject } = Promise.withResolvers<StatementResult>()
    pending.set(OPENED, { resolve, reject })
    const thread = { worker, pending, opened }
    worker.on('message', ({ id, answer }: AnswerMessage) => {
      const asked = pending.get(id)
      pending.delete(id)
      if (answer.ok) return asked?.resolve(answer.result)
      asked?.reject(this.#errors.of(answer.failure))
      // A thread that cannot open the file is useless. The next one may succeed.
      if (id === OPENED) void worker.terminate()
    })
    worker.on('error', (error) => this.#died(thread, error))
    worker.on('exit', () => this.#died(thread, null))
    return thread
  }

  #ask({ worker, pending }: Thread, statement: Packed): Promise<StatementResult> {
    const { promise, resolve, reject } = Promise.withResolvers<StatementResult>()
    this.#lastId += 1
    pending.set(this.#lastId, { resolve, reject })
    worker.postMessage({ id: this.#lastId, statement } satisfies ScanMessage)
    return promise
  }

  #died(thread: Thread, error: unknown): void {
    if (this.#thread === thread) this.#thread = null
    for (const { reject } of thread.pending.values()) reject(this.#gone(error))
    thread.pending.clear()
  }

  #gone(cause?: unknown): DatabaseError {
    return new DatabaseError('unavailable', `the reader of the database ${this.#errors.file} is gone`, cause)
  }
}
