/** The thread of the one connection that writes: neither its fsyncs nor another process's lock stop the event loop. */
import { parentPort, workerData } from 'node:worker_threads'
import type { StatementResult } from '../../core/dialect.ts'
import { failureOf, type SqliteFailure } from './errors.ts'
import { SqliteHandle } from './handle.ts'
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

function open({ file, walLimit }: WriterData): SqliteHandle {
  const handle = new SqliteHandle(file, { timeout: OPENING_TIMEOUT_MS })
  handle.pragma('journal_mode = WAL')
  handle.setUp(walLimit)
  handle.pragma(`wal_autocheckpoint = ${Math.max(1, Math.floor(walLimit / PAGE_BYTES))}`)
  handle.pragma('busy_timeout = 0')
  return handle
}

interface Disk {
  /** When a write was last seen to arrive on it; in milliseconds of `performance.now`. */
  lastWriteAt: number
  /** It was full, and the log is not folded back since. */
  full: boolean
}

/**
 * On a full disk the write-ahead log is where the space is: folded back into the
 * file it is cut off, and what is written next finds room. `false`: not even that
 * can be done, until somebody makes space.
 */
function makeRoom(handle: SqliteHandle, disk: Disk): boolean {
  if (handle.inTransaction) return false
  try {
    handle.pragma('wal_checkpoint(TRUNCATE)')
    disk.full = false
    return true
  } catch (error) {
    if (!isPassing(failureOf(error))) throw error
    return false
  }
}

/** Full still, or another process reads the log at this moment. */
function isPassing({ code }: SqliteFailure): boolean {
  return /^SQLITE_(FULL|BUSY|LOCKED|IOERR)/.test(code)
}

const unpacker = new Unpacker()

function run(handle: SqliteHandle, statement: Packed): StatementResult {
  return handle.run({ sql: statement.sql, parameters: unpacker.unpack(statement) })
}

/** Runs a recorded transaction, and undoes it where it does not go as recorded: its call then finds out by itself why. */
function stands(handle: SqliteHandle, recorded: readonly PackedRecorded[]): boolean {
  handle.exec('savepoint recorded')
  const went = goesAsRecorded(handle, recorded)
  if (!went) handle.exec('rollback to recorded')
  handle.exec('release recorded')
  return went
}

/** @throws what ended the whole transaction, such as a full disk. */
function goesAsRecorded(handle: SqliteHandle, recorded: readonly PackedRecorded[]): boolean {
  try {
    return recorded.every((statement) => run(handle, statement).affected === statement.affects)
  } catch (error) {
    if (!handle.inTransaction) throw error
    return false
  }
}

function handleCommand(handle: SqliteHandle, command: Command, disk: Disk): StatementResult {
  switch (command.kind) {
    case 'batch':
      handle.beginImmediate()
      for (const statement of command.statements) run(handle, statement)
      handle.exec('commit')
      disk.lastWriteAt = performance.now()
      return NOTHING
    case 'recorded':
      handle.beginImmediate()
      return { rows: command.recorded.map((recorded) => stands(handle, recorded)), affected: 0 }
    case 'finish':
      for (const statement of command.statements) run(handle, statement)
      handle.exec('commit')
      disk.lastWriteAt = performance.now()
      return NOTHING
    case 'execute':
      return run(handle, command.statement)
    case 'begin':
      handle.beginImmediate()
      return NOTHING
    case 'commit':
      handle.exec('commit')
      return NOTHING
    case 'rollback':
      if (handle.inTransaction) handle.exec('rollback')
      return NOTHING
    case 'probe':
      handle.beginImmediate()
      // A lock alone says nothing of a disk that is full or read-only. Nobody reads this number, but it is a write.
      if (performance.now() - disk.lastWriteAt > PROOF_MS) {
        handle.pragma('user_version = 0')
        handle.exec('commit')
        disk.lastWriteAt = performance.now()
      } else handle.exec('rollback')
      return NOTHING
    case 'close':
      handle.close()
      return NOTHING
    default:
      return command satisfies never
  }
}

/** A batch or probe that fails leaves no transaction open; in a transaction the main thread decides. */
function answerTo(handle: SqliteHandle, command: Command, disk: Disk): Answer {
  // What found the disk full is rolled back by now.
  if (disk.full && !handle.inTransaction && command.kind !== 'close') makeRoom(handle, disk)
  const answer = attempt(handle, command, disk)
  // Nothing of it stands: where there is room now it is written after all.
  const again = command.kind === 'batch' || command.kind === 'probe'
  return !answer.ok && disk.full && again && makeRoom(handle, disk) ? attempt(handle, command, disk) : answer
}

function attempt(handle: SqliteHandle, command: Command, disk: Disk): Answer {
  try {
    return { ok: true, result: handleCommand(handle, command, disk) }
  } catch (error) {
    const failure = failureOf(error)
    disk.lastWriteAt = Number.NEGATIVE_INFINITY
    if (failure.code.startsWith('SQLITE_FULL')) disk.full = true
    if (command.kind !== 'execute' && handle.inTransaction) handle.exec('rollback')
    return { ok: false, failure }
  }
}

function serve(port: NonNullable<typeof parentPort>, data: WriterData): void {
  const send = (message: AnswerMessage) => port.postMessage(message)
  let handle: SqliteHandle
  try {
    handle = open(data)
  } catch (error) {
    send({ id: OPENED, answer: { ok: false, failure: failureOf(error) } })
    return
  }
  const disk: Disk = { lastWriteAt: Number.NEGATIVE_INFINITY, full: false }
  port.on('message', ({ id, command }: CommandMessage) => {
    send({ id, answer: answerTo(handle, command, disk) })
    if (command.kind === 'close') port.close()
  })
  send({ id: OPENED, answer: { ok: true, result: NOTHING } })
}

/** What the thread is started with. */
function isWriterData(data: unknown): data is WriterData {
  return typeof data === 'object' && data !== null && 'file' in data && 'walLimit' in data
}

if (parentPort !== null && isWriterData(workerData)) serve(parentPort, workerData)
