/** The thread of the one connection that writes: neither its fsyncs nor another process's lock stop the event loop. */
import { parentPort, workerData } from 'node:worker_threads'
import type { StatementResult } from '../../core/dialect.ts'
import { beginImmediate } from './begin-immediate.ts'
import { failureOf, type SqliteFailure } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import {
  type Answer,
  type AnswerMessage,
  OPENED,
  type Order,
  type OrderMessage,
  type Packed,
  type PackedDraft,
  Unpacker,
  type WriterData,
} from './protocol.ts'
import { setUpHandle } from './set-up-handle.ts'
import { walPages } from './wal-limit.ts'

/** While the file is opened; after that each transaction waits for its lock by itself. */
const OPENING_TIMEOUT_MS = 100
/** A batch this recent proves that the disk takes writes. */
const PROOF_MS = 10_000

const NOTHING: StatementResult = Object.freeze({ rows: [], affected: 0 })

function open({ file, walLimit }: WriterData): SqliteHandle {
  const handle = new SqliteHandle(file, { timeout: OPENING_TIMEOUT_MS })
  handle.pragma('journal_mode = WAL')
  setUpHandle(handle, walLimit)
  handle.pragma(`wal_autocheckpoint = ${walPages(walLimit)}`)
  handle.pragma('busy_timeout = 0')
  return handle
}

interface Disk {
  /** When a write was last seen to arrive on it; in milliseconds of `performance.now`. */
  provedAt: number
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

/** Runs a draft, and undoes it where it does not go as supposed: its call then finds out by itself why. */
function holds(handle: SqliteHandle, draft: readonly PackedDraft[]): boolean {
  handle.exec('savepoint draft')
  const stands = goesAsDrafted(handle, draft)
  if (!stands) handle.exec('rollback to draft')
  handle.exec('release draft')
  return stands
}

/** @throws what ended the whole transaction, such as a full disk. */
function goesAsDrafted(handle: SqliteHandle, draft: readonly PackedDraft[]): boolean {
  try {
    return draft.every((statement) => run(handle, statement).affected === statement.affects)
  } catch (error) {
    if (!handle.inTransaction) throw error
    return false
  }
}

function obey(handle: SqliteHandle, order: Order, disk: Disk): StatementResult {
  switch (order.kind) {
    case 'batch':
      beginImmediate(handle)
      for (const statement of order.statements) run(handle, statement)
      handle.exec('commit')
      disk.provedAt = performance.now()
      return NOTHING
    case 'drafts':
      beginImmediate(handle)
      return { rows: order.drafts.map((draft) => holds(handle, draft)), affected: 0 }
    case 'finish':
      for (const statement of order.statements) run(handle, statement)
      handle.exec('commit')
      disk.provedAt = performance.now()
      return NOTHING
    case 'execute':
      return run(handle, order.statement)
    case 'begin':
      beginImmediate(handle)
      return NOTHING
    case 'commit':
      handle.exec('commit')
      return NOTHING
    case 'rollback':
      if (handle.inTransaction) handle.exec('rollback')
      return NOTHING
    case 'probe':
      beginImmediate(handle)
      // A lock alone says nothing of a disk that is full or read-only. Nobody reads this number, but it is a write.
      if (performance.now() - disk.provedAt > PROOF_MS) {
        handle.pragma('user_version = 0')
        handle.exec('commit')
        disk.provedAt = performance.now()
      } else handle.exec('rollback')
      return NOTHING
    case 'close':
      handle.close()
      return NOTHING
    default:
      return order satisfies never
  }
}

/** A batch or probe that fails leaves no transaction open; in a transaction the main thread decides. */
function answerTo(handle: SqliteHandle, order: Order, disk: Disk): Answer {
  // What found the disk full is rolled back by now.
  if (disk.full && !handle.inTransaction && order.kind !== 'close') makeRoom(handle, disk)
  const answer = attempt(handle, order, disk)
  // Nothing of it stands: where there is room now it is written after all.
  const again = order.kind === 'batch' || order.kind === 'probe'
  return !answer.ok && disk.full && again && makeRoom(handle, disk) ? attempt(handle, order, disk) : answer
}

function attempt(handle: SqliteHandle, order: Order, disk: Disk): Answer {
  try {
    return { ok: true, result: obey(handle, order, disk) }
  } catch (error) {
    const failure = failureOf(error)
    disk.provedAt = Number.NEGATIVE_INFINITY
    if (failure.code.startsWith('SQLITE_FULL')) disk.full = true
    if (order.kind !== 'execute' && handle.inTransaction) handle.exec('rollback')
    return { ok: false, failure }
  }
}

function serve(port: NonNullable<typeof parentPort>, data: WriterData): void {
  const tell = (message: AnswerMessage) => port.postMessage(message)
  let handle: SqliteHandle
  try {
    handle = open(data)
  } catch (error) {
    tell({ id: OPENED, answer: { ok: false, failure: failureOf(error) } })
    return
  }
  const disk: Disk = { provedAt: Number.NEGATIVE_INFINITY, full: false }
  port.on('message', ({ id, order }: OrderMessage) => {
    tell({ id, answer: answerTo(handle, order, disk) })
    if (order.kind === 'close') port.close()
  })
  tell({ id: OPENED, answer: { ok: true, result: NOTHING } })
}

/** What the thread is started with. */
function isWriterData(data: unknown): data is WriterData {
  return typeof data === 'object' && data !== null && 'file' in data && 'walLimit' in data
}

if (parentPort !== null && isWriterData(workerData)) serve(parentPort, workerData)
