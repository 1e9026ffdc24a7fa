import type { Statement, StatementResult } from '../../dialect.ts'
import type { SqliteFailure } from './errors.ts'

/** What the main thread asks of the writer's thread. */
export type Order =
  /** The statements in a transaction of their own, in one round trip. */
  | { readonly kind: 'batch'; readonly statements: readonly Statement[] }
  | { readonly kind: 'execute'; readonly statement: Statement }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'probe' | 'close' }

export type Answer =
  | { readonly ok: true; readonly result: StatementResult }
  | { readonly ok: false; readonly failure: SqliteFailure }

export interface OrderMessage {
  readonly id: number
  readonly order: Order
}

export interface AnswerMessage {
  readonly id: number
  readonly answer: Answer
}

/** The id of the message that says whether the thread could open the file. */
export const OPENED = 0

/**
 * A buffer cut from a pool would be copied to the other thread with all its
 * neighbours: it leaves in memory of its own.
 */
export function sendable({ sql, parameters }: Statement): Statement {
  return {
    sql,
    parameters: parameters.map((value) =>
      value instanceof Uint8Array && value.byteLength !== value.buffer.byteLength ? new Uint8Array(value) : value,
    ),
  }
}
