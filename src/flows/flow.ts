import type { GrantType } from '../domain/client.ts'
import type { Result } from '../results.ts'
import type { AppendStores, TransactionStores } from '../stores/contract/backend.ts'
import type { ConditionChain, Postcondition } from './condition.ts'
import type { FlowContext } from './context.ts'

/** Where a flow's writes go, and what its postconditions may touch there. What only reads is a query. */
export interface Lanes {
  /** Only inserts; shares its commit with concurrent calls. */
  append: AppendStores
  /** Decides a race: what its postconditions write commits as a whole, or not at all. */
  transaction: TransactionStores
}

export type Lane = keyof Lanes

/** An operation that writes, in the order in which its parts run; each grant is one value of this type. */
export interface Flow<Input extends object, Facts extends object, Output, L extends Lane = Lane> {
  readonly name: string
  readonly lane: L
  /** By which grant it issues access tokens, and how many there are in its output; none: it issues none. */
  readonly issues?: { readonly grant: GrantType; readonly count: (output: Output) => number }
  /** Reads and evaluates. */
  readonly preconditions: ConditionChain<Input, Facts>
  /** Whether there is nothing to write after all; the lane is then not entered. */
  readonly skipWrite?: (ctx: FlowContext, facts: Readonly<Facts>) => boolean
  /** What it spends, in the order in which it is taken; given back where nothing comes of the flow. */
  readonly reserve?: readonly Reservation<Facts>[]
  /** Decides what to issue. Touches no store and cannot fail. */
  readonly run: (ctx: FlowContext, facts: Readonly<Facts>) => Output | Promise<Output>
  /** Writes, and confirms it was first to. If one fails, nothing of the flow stands. */
  readonly postconditions: readonly Postcondition<Facts & { readonly issued: Output }, Lanes[L]>[]
  /** Notes in memory what is durable now. Quick, and never throws. */
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
  /** Decide whether the caller is answered, and collect what the answer needs. Their refusals have no effects. */
  readonly preconditions: ConditionChain<Input, Facts>
  /** Reads what was asked for. Refuses nothing any more. */
  readonly answer: (ctx: FlowContext, facts: Readonly<Facts>) => Output | Promise<Output>
}

export function query<Input extends object, Facts extends object, Output>(
  flow: QueryFlow<Input, Facts, Output>,
): QueryFlow<Input, Facts, Output> {
  return Object.freeze(flow)
}

/**
 * What a call spends before it writes, such as a part of its client's rate. The
 * runner takes the reservations of a flow in their order, once its preconditions
 * hold. Where nothing comes of the flow (a later reservation refuses, a race is
 * lost, the database fails) it releases those that were taken, the last one first.
 */
export interface Reservation<Facts extends object> {
  /** A claim, like the name of a condition. Logged, never sent. */
  readonly name: string
  readonly take: (ctx: FlowContext, facts: Readonly<Facts>) => Promise<Result<object>> | Result<object>
  /** What `take` would answer now; takes nothing. If absent, it cannot be told before. */
  readonly check?: (ctx: FlowContext, facts: Readonly<Facts>) => Promise<Result<object>> | Result<object>
  /**
   * Undoes `take`. Quick, and never throws. `null`: what was spent stays spent,
   * so a call takes it once, however often it loses a race.
   */
  readonly release: ((ctx: FlowContext, facts: Readonly<Facts>) => void) | null
}

export function reservation<Facts extends object>(value: Reservation<Facts>): Reservation<Facts> {
  return Object.freeze(value)
}
