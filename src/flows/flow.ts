import type { GrantType } from '../domain/client.ts'
import type { AppendStores, ReadStores, TransactionStores } from '../stores/contract/backend.ts'
import type { ConditionChain, Postcondition } from './condition.ts'
import type { FlowContext } from './context.ts'

/** Where a flow's writes go, and what its postconditions may touch there. */
export interface Lanes {
  /** Writes nothing. */
  read: ReadStores
  /** Only inserts; shares its commit with concurrent calls. */
  append: AppendStores
  /** Decides a race, in a transaction of its own. */
  transaction: TransactionStores
}

export type Lane = keyof Lanes

/** An operation in three steps; each grant is one value of this type, in one file. */
export interface Flow<Input extends object, Facts extends object, Output, L extends Lane = Lane> {
  readonly name: string
  readonly lane: L
  /** By which grant it issues access tokens, and how many there are in its output; none: it issues none. */
  readonly issues?: { readonly grant: GrantType; readonly count: (output: Output) => number }
  /** Reads and judges. */
  readonly preconditions: ConditionChain<Input, Facts>
  /** Decides what to issue. Touches no store and cannot fail. */
  readonly run: (ctx: FlowContext, facts: Readonly<Facts>) => Output | Promise<Output>
  /** Whether there is nothing to write after all; the lane is then not entered. */
  readonly skipWrite?: (ctx: FlowContext, facts: Readonly<Facts>) => boolean
  /** Writes, and confirms it was first to. If one fails, nothing of the flow stands. */
  readonly postconditions: readonly Postcondition<Facts & { readonly issued: Output }, Lanes[L]>[]
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
