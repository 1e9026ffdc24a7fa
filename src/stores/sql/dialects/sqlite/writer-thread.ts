/** The thread of the one connection that writes: neither its fsyncs nor another process's lock stop the event loop. */
import { parentPort, workerData } from 'node:worker_threads'
import type { StatementResult } from '../../dialect.ts'
import { beginImmediate } from './begin-immediate.ts'
import { failureOf } from './errors.ts'
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
} from './protocol.ts'
import { setUpHandle } from './set-up-handle.ts'

/** While the file is opened; after that each transaction waits for its lock by itself. */
const OPENING_TIMEOUT_MS = 100
/** Pages of the write-ahead log before it is folded back: rare and long beats frequent and short here. */
const CHECKPOINT_PAGES = 16_000

/** A batch this recent proves that the disk takes writes. */
const PROOF_MS = 10_000

const NOTHING: StatementResult = Object.freeze({ rows: [], affected: 0 })

function open(file: string): SqliteHandle {
  const handle = new SqliteHandle(file, { timeout: OPENING_TIMEOUT_MS })
  handle.pragma('journal_mode = WAL')
  setUpHandle(handle)
  handle.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  handle.pragma('busy_timeout = 0')
  return handle
}

/** When a write was last seen to arrive on the disk; in milliseconds of `performance.now`. */
interface Proof {
  at: number
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

function obey(handle: SqliteHandle, order: Order, proof: Proof): StatementResult {
  switch (order.kind) {
    case 'batch':
      beginImmediate(handle)
      for (const statement of order.statements) run(handle, statement)
      handle.exec('commit')
      proof.at = performance.now()
      return NOTHING
    case 'drafts':
      beginImmediate(handle)
      return { rows: order.drafts.map((draft) => holds(handle, draft)), affected: 0 }
    case 'finish':
      for (const statement of order.statements) run(handle, statement)
      handle.exec('commit')
      proof.at = performance.now()
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
      if (performance.now() - proof.at > PROOF_MS) {
        handle.pragma('user_version = 0')
        handle.exec('commit')
        proof.at = performance.now()
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
function answerTo(handle: SqliteHandle, order: Order, proof: Proof): Answer {
  try {
    return { ok: true, result: obey(handle, order, proof) }
  } catch (error) {
    const failure = failureOf(error)
    proof.at = Number.NEGATIVE_INFINITY
    if (order.kind !== 'execute' && handle.inTransaction) handle.exec('rollback')
    return { ok: false, failure }
  }
}

function serve(port: NonNullable<typeof parentPort>, file: string): void {
  const tell = (message: AnswerMessage) => port.postMessage(message)
  let handle: SqliteHandle
  try {
    handle = open(file)
  } catch (error) {
    tell({ id: OPENED, answer: { ok: false, failure: failureOf(error) } })
    return
  }
  const proof: Proof = { at: Number.NEGATIVE_INFINITY }
  port.on('message', ({ id, order }: OrderMessage) => {
    tell({ id, answer: answerTo(handle, order, proof) })
    if (order.kind === 'close') port.close()
  })
  tell({ id: OPENED, answer: { ok: true, result: NOTHING } })
}

if (parentPort !== null) serve(parentPort, String(workerData))
