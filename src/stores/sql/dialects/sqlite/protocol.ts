import type { RecordedStatement, RepeatedStatement, Statement, StatementResult } from '../../core/dialect.ts'
import type { SqliteFailure } from './errors.ts'

/** What the main thread asks of the writer's thread. */
export type Command =
  /** The statements in a transaction of their own, in one round trip. */
  | { readonly kind: 'batch'; readonly statements: readonly Packed[] }
  | NextBatch
  /** Begins a transaction, and runs each recorded one in it whole or not at all; answers one row for each: whether it stands. */
  | { readonly kind: 'recorded'; readonly recorded: readonly (readonly PackedRecorded[])[] }
  /** The last statements of the open transaction, and its commit. */
  | { readonly kind: 'finish'; readonly statements: readonly Packed[] }
  | { readonly kind: 'execute'; readonly statement: Packed }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'probe' | 'close' }

/** A batch that follows those sent before; answers one row for each recorded transaction: whether it stands. None affected: nothing is written. */
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

/** What the writer's thread is given when it starts. */
export interface WriterData {
  readonly file: string
  /** How large the write-ahead log may get before it is folded back, in bytes. */
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

/** What the writer's thread answers to commands that it carried out together. */
export interface CommonAnswerMessage {
  readonly ids: readonly number[]
  readonly answer: Answer
}

/** The id of the message that says whether the thread could open the file. */
export const OPENED = 0

/**
 * A statement on its way to the other thread, and nothing of what made it: to copy
 * a query's tree costs more than to run it. Its bytes travel as text of one
 * character a byte: a buffer of its own costs ten times as much to hand over, and
 * one cut from a pool would take all its neighbours along.
 */
export interface Packed extends Statement {
  /** Which parameters were bytes. */
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
 * Gives statements the parameters they had before they travelled. The bytes lie
 * in memory that the next statement writes over, which is soon enough: SQLite
 * copies what is bound. A buffer for each would be cut from a pool, and a few
 * that outlive a collection keep all of it; a thread with so little garbage lets
 * tens of megabytes gather before it looks at what is old.
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
