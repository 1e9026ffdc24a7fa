import type { RecordedStatement, RepeatedStatement, Statement, StatementResult } from '../../core/dialect.ts'
import type { SqliteFailure } from './errors.ts'

/** The commands of the main thread to the writer thread. */
export type Command =
  /** The statements in their own transaction, in one round trip. */
  | { readonly kind: 'batch'; readonly statements: readonly Packed[] }
  | NextBatch
  /**
   * Begins a transaction and runs each recorded one in it completely or not at all. Answers with one row for each: whether it
   * ran as recorded.
   */
  | { readonly kind: 'recorded'; readonly recorded: readonly (readonly PackedRecorded[])[] }
  /** The last statements of the open transaction and its commit. */
  | { readonly kind: 'finish'; readonly statements: readonly Packed[] }
  | { readonly kind: 'execute'; readonly statement: Packed }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'probe' | 'close' }

/**
 * A batch that follows those sent before. Answers with one row for each recorded transaction: whether it ran as recorded. No
 * affected row: nothing is written.
 */
export interface NextBatch {
  readonly kind: 'next'
  readonly recorded: readonly (readonly PackedRecorded[])[]
  readonly inserts: readonly PackedRepeated[]
  /** Must write one row. */
  readonly head: Packed
}

export type Answer =
  | { readonly ok: true; readonly result: StatementResult }
  | { readonly ok: false; readonly failure: SqliteFailure }

/** The parameters of the writer thread. */
export interface WriterData {
  readonly file: string
  /** The size in bytes at which the write-ahead log is checkpointed. */
  readonly walLimit: number
}

export interface CommandMessage {
  readonly id: number
  readonly command: Command
}

export interface AnswerMessage {
  readonly id: number
  readonly answer: Answer
}

/** The common answer to commands that ran in one transaction. */
export interface CommonAnswerMessage {
  readonly ids: readonly number[]
  readonly answer: Answer
}

/** The id of the message that reports whether the thread opened the file. */
export const OPENED = 0

/**
 * A statement for the other thread, without Kysely's query tree: copying the tree costs more than running the statement.
 * Bytes are sent as text with one character for each byte. Sending a buffer costs ten times as much, and a slice of a pool
 * would take the whole pool along.
 */
export interface Packed extends Statement {
  /** The indexes of parameters that were bytes. */
  readonly bytesAt: readonly number[]
}

export interface PackedRecorded extends Packed, RecordedStatement {}

export interface PackedRepeated extends Packed, RepeatedStatement {}

const NO_BYTES: readonly number[] = Object.freeze([])

export function packed({ sql, parameters }: Statement): Packed {
  let bytesAt: number[] | null = null
  let travelling: unknown[] | null = null
  for (let at = 0; at < parameters.length; at += 1) {
    const value = parameters[at]
    if (!(value instanceof Uint8Array)) continue
    travelling ??= [...parameters]
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    travelling[at] = bytes.toString('latin1')
    if (bytesAt === null) bytesAt = [at]
    else bytesAt.push(at)
  }
  return { sql, parameters: travelling ?? parameters, bytesAt: bytesAt ?? NO_BYTES }
}

export function packedRecorded(recorded: readonly RecordedStatement[]): readonly PackedRecorded[] {
  return recorded.map((statement) => ({ ...packed(statement), affects: statement.affects }))
}

export function packedRepeated(statement: RepeatedStatement): PackedRepeated {
  return { ...packed(statement), times: statement.times }
}

/**
 * Restores the parameters of statements. The bytes are in memory that the next statement overwrites, which is safe because
 * SQLite copies bound values. Separate buffers would be slices of a pool, and a few that survive a collection keep the whole
 * pool alive. A thread with so little garbage accumulates tens of megabytes before a full collection.
 */
export class Unpacker {
  #scratch = Buffer.allocUnsafeSlow(16 * 1024)

  unpack({ parameters, bytesAt }: Packed): readonly unknown[] {
    if (bytesAt.length === 0) return parameters
    const arrived = [...parameters]
    const needed = bytesAt.reduce((sum, at) => sum + String(arrived[at]).length, 0)
    if (needed > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 * needed)
    let from = 0
    for (const at of bytesAt) {
      const to = from + this.#scratch.write(String(arrived[at]), from, 'latin1')
      arrived[at] = this.#scratch.subarray(from, to)
      from = to
    }
    return arrived
  }
}
