import type { GrantType } from '../domain/client.ts'
import type { Result } from '../results.ts'
import type { AppendStores, TransactionStores } from '../stores/contract/backend.ts'
import type { ConditionChain, Postcondition } from './condition.ts'
import type { FlowContext } from './context.ts'

/**
 * The lanes for a flow's writes, with the stores that its postconditions may use. An operation that only reads is a
 * query.
 */
export interface Lanes {
  /** Inserts only. Shares its commit with concurrent calls. */
  append: AppendStores
  /** Decides races. The writes of its postconditions commit as a whole, or not at all. */
  transaction: TransactionStores
}

export type Lane = keyof Lanes

/** An operation that writes. The fields are in the order in which the parts run. Each grant is a value of this type. */
export interface Flow<Input extends object, Facts extends object, Output, L extends Lane = Lane> {
  readonly name: string
  readonly lane: L
  /** The grant by which it issues access tokens, and their number in its output. Absent: it issues none. */
  readonly issues?: { readonly grant: GrantType; readonly count: (output: Output) => number }
  /** Reads and evaluates. */
  readonly preconditions: ConditionChain<Input, Facts>
  /** Whether nothing needs to be written. The lane is then not entered. */
  readonly skipWrite?: (ctx: FlowContext, facts: Readonly<Facts>) => boolean
  /** The reservations, in the order in which they are taken. They are released if the flow fails. */
  readonly reserve?: readonly Reservation<Facts>[]
  /** Decides what to issue. It uses no store and cannot fail. */
  readonly run: (ctx: FlowContext, facts: Readonly<Facts>) => Output | Promise<Output>
  /** Write, and confirm that this call was first. If one fails, all writes of the flow are rolled back. */
  readonly postconditions: readonly Postcondition<Facts & { readonly issued: Output }, Lanes[L]>[]
  /** Updates memory after the commit. It must be fast and must not throw. */
  readonly afterCommit?: (ctx: FlowContext, facts: Readonly<Facts & { readonly issued: Output }>) => void
}

/** For a flow whose output is one access token. */
export function oneToken(grant: GrantType) {
  return Object.freeze({ grant, count: () => 1 })
}

export function defineFlow<Input extends object, Facts extends object, Output, L extends Lane>(
  flow: Flow<Input, Facts, Output, L>,
): Flow<Input, Facts, Output, L> {
  return Object.freeze(flow)
}

/** An operation that only reads: it evaluates its preconditions, then answers. */
export interface QueryFlow<Input extends object, Facts extends object, Output> {
  readonly name: string
  /** Decide whether the call is answered, and collect the facts for the answer. Their refusals have no effects. */
  readonly preconditions: ConditionChain<Input, Facts>
  /** Reads the requested data. It no longer refuses. */
  readonly answer: (ctx: FlowContext, facts: Readonly<Facts>) => Output | Promise<Output>
}

export function query<Input extends object, Facts extends object, Output>(
  flow: QueryFlow<Input, Facts, Output>,
): QueryFlow<Input, Facts, Output> {
  return Object.freeze(flow)
}

/**
 * A resource that a call uses up before it writes, such as a part of its client's rate. The runner takes the
 * reservations of a flow in order, after its preconditions hold. If the flow fails (a later reservation refuses, a race
 * is lost, the database fails), it releases the reservations in reverse order.
 */
export interface Reservation<Facts extends object> {
  /** A claim, like the name of a condition. Logged, never sent. */
  readonly name: string
  readonly take: (ctx: FlowContext, facts: Readonly<Facts>) => Promise<Result<object>> | Result<object>
  /** The answer that `take` would give now, without taking anything. If absent, it cannot be known in advance. */
  readonly check?: (ctx: FlowContext, facts: Readonly<Facts>) => Promise<Result<object>> | Result<object>
  /**
   * Reverses `take`. It must be fast and must not throw. `null`: the reservation is not released, so a call takes it
   * only once, however many races it loses.
   */
  readonly release: ((ctx: FlowContext, facts: Readonly<Facts>) => void) | null
}

export function reservation<Facts extends object>(value: Reservation<Facts>): Reservation<Facts> {
  return Object.freeze(value)
}
