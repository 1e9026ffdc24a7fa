/** The thread of the one connection that writes: neither its fsyncs nor another process's lock stop the event loop. */
import { parentPort, workerData } from 'node:worker_threads'
import type { StatementResult } from '../../core/dialect.ts'
import { failureOf, type SqliteFailure } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import type { OpenFile } from './library.ts'
import {
  type Answer,
  type AnswerMessage,
  type Command,
  type CommandMessage,
  OPENED,
  type Packed,
  type PackedRecorded,
  Unpacker,
  type WriterData,
} from './protocol.ts'

/** While the file is opened; after that each transaction waits for its lock by itself. */
const OPENING_TIMEOUT_MS = 100
/** A batch this recent proves that the disk takes writes. */
const PROOF_MS = 10_000
/** Of a page of the database. */
const PAGE_BYTES = 4_096

const NOTHING: StatementResult = Object.freeze({ rows: [], affected: 0 })

/** The connection of the thread, and what was seen of the disk it writes on. */
export class WriterThread {
  readonly #handle: SqliteHandle
  readonly #unpacker = new Unpacker()
  /** When a write was last seen to arrive on the disk; in milliseconds of `performance.now`. */
  #lastWriteAt = Number.NEGATIVE_INFINITY
  /** The disk was full, and the log is not folded back since. */
  #diskIsFull = false

  constructor(open: OpenFile, { file, walLimit }: WriterData) {
    this.#handle = new SqliteHandle(open(file, { timeout: OPENING_TIMEOUT_MS }))
    this.#handle.pragma('journal_mode = WAL')
    this.#handle.setUp(walLimit)
    this.#handle.pragma(`wal_autocheckpoint = ${Math.max(1, Math.floor(walLimit / PAGE_BYTES))}`)
    this.#handle.pragma('busy_timeout = 0')
  }

  /** A batch or probe that fails leaves no transaction open; in a transaction the main thread decides. */
  answerTo(command: Command): Answer {
    // What found the disk full is rolled back by now.
    if (this.#diskIsFull && !this.#handle.inTransaction && command.kind !== 'close') this.#makeRoom()
    const answer = this.#attempt(command)
    // Nothing of it stands: where there is room now it is written after all.
    const again = command.kind === 'batch' || command.kind === 'probe'
    return !answer.ok && this.#diskIsFull && again && this.#makeRoom() ? this.#attempt(command) : answer
  }

  #attempt(command: Command): Answer {
    try {
      return { ok: true, result: this.#handleCommand(command) }
    } catch (error) {
      const failure = failureOf(error)
      this.#lastWriteAt = Number.NEGATIVE_INFINITY
      if (failure.code.startsWith('SQLITE_FULL')) this.#diskIsFull = true
      if (command.kind !== 'execute' && this.#handle.inTransaction) this.#handle.exec('rollback')
      return { ok: false, failure }
    }
  }

  #handleCommand(command: Command): StatementResult {
    switch (command.kind) {
      case 'batch':
        this.#handle.beginImmediate()
        this.#runAndCommit(command.statements)
        return NOTHING
      case 'recorded':
        this.#handle.beginImmediate()
        return { rows: command.recorded.map((recorded) => this.#stands(recorded)), affected: 0 }
      case 'finish':
        this.#runAndCommit(command.statements)
        return NOTHING
      case 'execute':
        return this.#run(command.statement)
      case 'begin':
        this.#handle.beginImmediate()
        return NOTHING
      case 'commit':
        this.#handle.exec('commit')
        return NOTHING
      case 'rollback':
        if (this.#handle.inTransaction) this.#handle.exec('rollback')
        return NOTHING
      case 'probe':
        this.#probe()
        return NOTHING
      case 'close':
        this.#handle.close()
        return NOTHING
      default:
        return command satisfies never
    }
  }

  #run(statement: Packed): StatementResult {
    return this.#handle.run({ sql: statement.sql, parameters: this.#unpacker.unpack(statement) })
  }

  #runAndCommit(statements: readonly Packed[]): void {
    for (const statement of statements) this.#run(statement)
    this.#handle.exec('commit')
    this.#lastWriteAt = performance.now()
  }

  /** A lock alone says nothing of a disk that is full or read-only. Nobody reads the number, but it is a write. */
  #probe(): void {
    this.#handle.beginImmediate()
    if (performance.now() - this.#lastWriteAt <= PROOF_MS) {
      this.#handle.exec('rollback')
      return
    }
    this.#handle.pragma('user_version = 0')
    this.#handle.exec('commit')
    this.#lastWriteAt = performance.now()
  }

  /** Runs a recorded transaction, and undoes it where it does not go as recorded: its call then finds out by itself why. */
  #stands(recorded: readonly PackedRecorded[]): boolean {
    this.#handle.exec('savepoint recorded')
    const stands = this.#goesAsRecorded(recorded)
    if (!stands) this.#handle.exec('rollback to recorded')
    this.#handle.exec('release recorded')
    return stands
  }

  /** @throws what ended the whole transaction, such as a full disk. */
  #goesAsRecorded(recorded: readonly PackedRecorded[]): boolean {
    try {
      return recorded.every((statement) => this.#run(statement).affected === statement.affects)
    } catch (error) {
      if (!this.#handle.inTransaction) throw error
      return false
    }
  }

  /**
   * On a full disk the write-ahead log is where the space is: folded back into the
   * file it is cut off, and what is written next finds room. `false`: not even that
   * can be done, until somebody makes space.
   */
  #makeRoom(): boolean {
    if (this.#handle.inTransaction) return false
    try {
      this.#handle.pragma('wal_checkpoint(TRUNCATE)')
      this.#diskIsFull = false
      return true
    } catch (error) {
      if (!isTransient(failureOf(error))) throw error
      return false
    }
  }
}

/** The disk is still full, or another process reads the log at this moment. */
function isTransient({ code }: SqliteFailure): boolean {
  return /^SQLITE_(FULL|BUSY|LOCKED|IOERR)/.test(code)
}

function serve(port: NonNullable<typeof parentPort>, open: OpenFile, data: WriterData): void {
  const send = (message: AnswerMessage) => port.postMessage(message)
  let thread: WriterThread
  try {
    thread = new WriterThread(open, data)
  } catch (error) {
    send({ id: OPENED, answer: { ok: false, failure: failureOf(error) } })
    return
  }
  port.on('message', ({ id, command }: CommandMessage) => {
    send({ id, answer: thread.answerTo(command) })
    if (command.kind === 'close') port.close()
  })
  send({ id: OPENED, answer: { ok: true, result: NOTHING } })
}

/** What the thread is started with. */
function isWriterData(data: unknown): data is WriterData {
  return typeof data === 'object' && data !== null && 'file' in data && 'walLimit' in data
}

/** What the module that such a thread starts with has to do; nothing in a thread that was started for something else. */
export function serveWriter(open: OpenFile): void {
  if (parentPort !== null && isWriterData(workerData)) serve(parentPort, open, workerData)
}
