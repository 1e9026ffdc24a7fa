/** The thread of the writing connection, so that neither its fsyncs nor another process's lock block the event loop. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { StatementResult } from '../../core/dialect.ts'
import { failureOf, type SqliteFailure } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import type { OpenFile } from './library.ts'
import {
  type Answer,
  type Command,
  type CommandMessage,
  type CommonAnswerMessage,
  type NextBatch,
  OPENED,
  type Packed,
  type PackedRecorded,
  type PackedRepeated,
  Unpacker,
  type WriterData,
} from './protocol.ts'

/** Applies while the file is opened. Later, each transaction waits for its lock itself. */
const OPENING_TIMEOUT_MS = 100
/** A batch within this time proves that the disk is writable. */
const PROOF_MS = 10_000
/** Of a page of the database. */
const PAGE_BYTES = 4_096

/** Errors that may concern a single batch: its rows, or a full disk on which space is made first. */
const OF_ONE_BATCH = /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|FULL)/

const NOTHING: StatementResult = Object.freeze({ rows: [], affected: 0 })
/** A batch's result: its head was moved and all the rest was written. */
const WRITTEN: StatementResult = Object.freeze({ rows: [], affected: 1 })

/** The thread's connection and the state of its disk. */
export class WriterThread {
  readonly #handle: SqliteHandle
  readonly #unpacker = new Unpacker()
  /** The time of the last successful write, in milliseconds of `performance.now`. */
  #lastWriteAt = Number.NEGATIVE_INFINITY
  /** The error that showed a full disk, if the log has not been checkpointed since. */
  #full: SqliteFailure | null = null

  constructor(open: OpenFile, { file, walLimit }: WriterData) {
    this.#handle = new SqliteHandle(open(file, { timeout: OPENING_TIMEOUT_MS }))
    this.#handle.pragma('journal_mode = WAL')
    this.#handle.setUp(walLimit)
    this.#handle.pragma(`wal_autocheckpoint = ${Math.max(1, Math.floor(walLimit / PAGE_BYTES))}`)
    this.#handle.pragma('busy_timeout = 0')
  }

  /**
   * Commits batches in one transaction. `null`: one of them did not run as recorded, or there is no space for it. Nothing is
   * written then, and each must be tried on its own.
   */
  answerTogether(batches: readonly NextBatch[]): Answer | null {
    if (this.#full !== null) return null
    try {
      this.#handle.beginImmediate()
      const allGo = batches.every((batch) => this.#goesAsSupposed(batch))
      if (allGo) this.#commit()
      else this.#handle.exec('rollback')
      return allGo ? { ok: true, result: WRITTEN } : null
    } catch (error) {
      const failure = this.#rolledBack(error)
      return OF_ONE_BATCH.test(failure.code) ? null : { ok: false, failure }
    }
  }

  #goesAsSupposed(batch: NextBatch): boolean {
    return batch.recorded.every((one) => this.#affectsAsRecorded(one)) && this.#insertsAndMovesHead(batch)
  }

  #affectsAsRecorded(recorded: readonly PackedRecorded[]): boolean {
    return recorded.every((statement) => this.#run(statement).affected === statement.affects)
  }

  /** `false`: the previous batch was not committed. */
  #insertsAndMovesHead({ inserts, head }: NextBatch): boolean {
    for (const insert of inserts) this.#runRepeated(insert)
    return this.#run(head).affected === 1
  }

  /** A failed batch or probe leaves no transaction open. Inside a transaction the main thread decides. */
  answerTo(command: Command): Answer {
    const failure = this.#full
    // The transaction that found the disk full has been rolled back.
    if (failure !== null && !this.#handle.inTransaction && command.kind !== 'close') {
      const hasRoom = this.#makeRoom()
      // A probe writes less than the failed transaction, so its success would prove nothing.
      if (!hasRoom && command.kind === 'probe') return { ok: false, failure }
    }
    const answer = this.#attempt(command)
    // Nothing of it was written. If there is space now, it is retried.
    const again = command.kind === 'batch' || command.kind === 'next' || command.kind === 'probe'
    return !answer.ok && this.#full !== null && again && this.#makeRoom() ? this.#attempt(command) : answer
  }

  #attempt(command: Command): Answer {
    try {
      return { ok: true, result: this.#handleCommand(command) }
    } catch (error) {
      return { ok: false, failure: command.kind === 'execute' ? this.#noted(error) : this.#rolledBack(error) }
    }
  }

  #rolledBack(error: unknown): SqliteFailure {
    if (this.#handle.inTransaction) this.#handle.exec('rollback')
    return this.#noted(error)
  }

  /** Records what an error shows about the disk. */
  #noted(error: unknown): SqliteFailure {
    const failure = failureOf(error)
    this.#lastWriteAt = Number.NEGATIVE_INFINITY
    if (failure.code.startsWith('SQLITE_FULL')) this.#full = failure
    return failure
  }

  #handleCommand(command: Command): StatementResult {
    switch (command.kind) {
      case 'batch':
        this.#handle.beginImmediate()
        this.#runAndCommit(command.statements)
        return NOTHING
      case 'next':
        return this.#commitNext(command)
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

  #runRepeated(statement: PackedRepeated): void {
    this.#handle.runRepeated(statement.sql, this.#unpacker.unpack(statement), statement.times)
  }

  #runAndCommit(statements: readonly Packed[]): void {
    for (const statement of statements) this.#run(statement)
    this.#commit()
  }

  #commit(): void {
    this.#handle.exec('commit')
    this.#lastWriteAt = performance.now()
  }

  #commitNext(batch: NextBatch): StatementResult {
    this.#handle.beginImmediate()
    const rows = batch.recorded.map((one) => this.#stands(one))
    if (rows.every(Boolean) && this.#insertsAndMovesHead(batch)) {
      this.#commit()
      return WRITTEN
    }
    this.#handle.exec('rollback')
    return { rows, affected: 0 }
  }

  /** A lock alone does not show whether the disk is full or read-only. The number has no meaning, but writing it is a write. */
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

  /** Runs a recorded transaction and undoes it if it does not run as recorded. Its call then runs it alone and finds the reason. */
  #stands(recorded: readonly PackedRecorded[]): boolean {
    this.#handle.exec('savepoint recorded')
    const stands = this.#goesAsRecorded(recorded)
    if (!stands) this.#handle.exec('rollback to recorded')
    this.#handle.exec('release recorded')
    return stands
  }

  /** @throws an error that ended the whole transaction, such as a full disk. */
  #goesAsRecorded(recorded: readonly PackedRecorded[]): boolean {
    try {
      return this.#affectsAsRecorded(recorded)
    } catch (error) {
      if (!this.#handle.inTransaction) throw error
      return false
    }
  }

  /**
   * On a full disk, the write-ahead log may hold the space. After a checkpoint it is truncated, and the next write has space.
   * `false`: the checkpoint failed, and somebody must free space.
   */
  #makeRoom(): boolean {
    if (this.#handle.inTransaction) return false
    try {
      this.#handle.pragma('wal_checkpoint(TRUNCATE)')
      this.#full = null
      return true
    } catch (error) {
      if (!isTransient(failureOf(error))) throw error
      return false
    }
  }
}

/** The disk is still full, or another process is reading the log. */
function isTransient({ code }: SqliteFailure): boolean {
  return /^SQLITE_(FULL|BUSY|LOCKED|IOERR)/.test(code)
}

function serve(port: NonNullable<typeof parentPort>, open: OpenFile, data: WriterData): void {
  const send = (message: CommonAnswerMessage) => port.postMessage(message)
  let thread: WriterThread
  try {
    thread = new WriterThread(open, data)
  } catch (error) {
    send({ ids: [OPENED], answer: { ok: false, failure: failureOf(error) } })
    return
  }
  port.on('message', (first: CommandMessage) => {
    const waiting = [first, ...arrived(port)]
    for (const message of answers(thread, waiting)) send(message)
    if (waiting.some(({ command }) => command.kind === 'close')) port.close()
  })
  send({ ids: [OPENED], answer: { ok: true, result: NOTHING } })
}

/** Runs commands in order. Consecutive batches share a transaction. */
function* answers(thread: WriterThread, commands: readonly CommandMessage[]): Generator<CommonAnswerMessage> {
  for (let at = 0; at < commands.length; ) {
    const together = nextBatches(commands, at)
    const answer = together.length > 1 ? thread.answerTogether(together.map(({ command }) => command)) : null
    if (answer !== null) {
      yield { ids: together.map(({ id }) => id), answer }
      at += together.length
    } else {
      const alone = commands.slice(at, at + Math.max(1, together.length))
      for (const { id, command } of alone) yield { ids: [id], answer: thread.answerTo(command) }
      at += alone.length
    }
  }
}

type NextMessage = CommandMessage & { readonly command: NextBatch }

function nextBatches(commands: readonly CommandMessage[], from: number): readonly NextMessage[] {
  const batches: NextMessage[] = []
  for (const message of commands.slice(from)) {
    if (!isNext(message)) break
    batches.push(message)
  }
  return batches
}

function isNext(message: CommandMessage): message is NextMessage {
  return message.command.kind === 'next'
}

/** The messages that have arrived after the current one. */
function arrived(port: NonNullable<typeof parentPort>): CommandMessage[] {
  const messages: CommandMessage[] = []
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    messages.push(next.message as CommandMessage)
  }
  return messages
}

/** Whether this is the thread's parameter. */
function isWriterData(data: unknown): data is WriterData {
  return typeof data === 'object' && data !== null && 'file' in data && 'walLimit' in data
}

/** The body of such a thread's module. It does nothing in a thread that was started for another purpose. */
export function serveWriter(open: OpenFile): void {
  if (parentPort !== null && isWriterData(workerData)) serve(parentPort, open, workerData)
}
