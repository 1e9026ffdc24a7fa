import type { DraftedStatement, Statement, StatementResult } from '../../dialect.ts'
import type { SqliteFailure } from './errors.ts'

/** What the main thread asks of the writer's thread. */
export type Order =
  /** The statements in a transaction of their own, in one round trip. */
  | { readonly kind: 'batch'; readonly statements: readonly Packed<Statement>[] }
  /** Begins a transaction, and runs each draft in it whole or not at all; answers one row a draft: whether it stands. */
  | { readonly kind: 'drafts'; readonly drafts: readonly (readonly Packed<DraftedStatement>[])[] }
  /** The last statements of the open transaction, and its commit. */
  | { readonly kind: 'finish'; readonly statements: readonly Packed<Statement>[] }
  | { readonly kind: 'execute'; readonly statement: Packed<Statement> }
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
 * A statement on its way to the other thread. Its bytes travel as text of one
 * character a byte: a buffer of its own costs ten times as much to hand over, and
 * one cut from a pool would take all its neighbours along.
 */
export type Packed<S extends Statement> = S & {
  /** Which parameters were bytes. */
  readonly bytesAt: readonly number[]
}

const NO_BYTES: readonly number[] = Object.freeze([])

export function packed<S extends Statement>(statement: S): Packed<S> {
  const { parameters } = statement
  let bytesAt: number[] | null = null
  let travelling: unknown[] | null = null
  for (let at = 0; at < parameters.length; at += 1) {
    const value = parameters[at]
    if (!(value instanceof Uint8Array)) continue
    travelling ??= [...parameters]
    travelling[at] = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
    if (bytesAt === null) bytesAt = [at]
    else bytesAt.push(at)
  }
  return { ...statement, parameters: travelling ?? parameters, bytesAt: bytesAt ?? NO_BYTES }
}

/** The parameters as they were before they travelled. */
export function unpacked({ parameters, bytesAt }: Packed<Statement>): readonly unknown[] {
  if (bytesAt.length === 0) return parameters
  const arrived = [...parameters]
  for (const at of bytesAt) arrived[at] = Buffer.from(String(arrived[at]), 'latin1')
  return arrived
}
