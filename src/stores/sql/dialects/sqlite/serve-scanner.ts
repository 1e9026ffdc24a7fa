/** The thread of a reading connection, so that a list over a large table does not block the event loop. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Statement, StatementResult } from '../../core/dialect.ts'
import { failureOf } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import type { OpenFile } from './library.ts'
import { type Answer, type AnswerMessage, OPENED, type Packed, Unpacker } from './protocol.ts'

/** A reader meets a lock only during a recovery or checkpoint of the log. */
const BUSY_TIMEOUT_MS = 1_000
const NOTHING: StatementResult = Object.freeze({ rows: [], affected: 0 })

export interface ScanMessage {
  readonly id: number
  /** `null`: close. */
  readonly statement: Packed | null
}

export interface ScanThreadData {
  readonly file: string
  /** In bytes. */
  readonly walLimit: number
}

function answerTo(work: () => StatementResult): Answer {
  try {
    return { ok: true, result: work() }
  } catch (error) {
    return { ok: false, failure: failureOf(error) }
  }
}

function serve(port: NonNullable<typeof parentPort>, open: OpenFile, { file, walLimit }: ScanThreadData): void {
  const unpacker = new Unpacker()
  let handle: SqliteHandle | null = null
  const run = (statement: Statement | null): StatementResult => {
    if (statement === null || handle === null) return NOTHING
    return handle.run(statement)
  }
  const send = (message: AnswerMessage) => port.postMessage(message)
  send({
    id: OPENED,
    answer: answerTo(() => {
      handle = new SqliteHandle(open(file, { readonly: true, timeout: BUSY_TIMEOUT_MS }))
      handle.setUp(walLimit)
      return NOTHING
    }),
  })
  port.on('message', ({ id, statement }: ScanMessage) => {
    const unpacked = statement && { sql: statement.sql, parameters: unpacker.unpack(statement) }
    send({ id, answer: answerTo(() => run(unpacked)) })
    if (statement !== null) return
    handle?.close()
    port.close()
  })
}

/** The body of such a thread's module. The starter types the parameters. */
export function serveScanner(open: OpenFile): void {
  if (parentPort !== null) serve(parentPort, open, workerData as ScanThreadData)
}
