import type { ConditionChain } from './condition.ts'
import type { FlowContext } from './context.ts'

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
