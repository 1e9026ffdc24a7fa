import { type FailedResult, type SuccessResult, success } from '../results.ts'
import type { TransactionStores } from '../stores/contract/backend.ts'
import type { FlowContext } from './context.ts'

/** A postcondition's or effect's answer when another call was first: everything is rolled back and judged anew. */
export const LOST_RACE = Symbol('lost race')

/** An effect's answer when what the flow lacked is there now: it stands, and the flow is judged anew. */
export const RETRY = Symbol('judge anew')

/**
 * What a refusal leaves behind, such as a revocation; commits in a transaction of
 * its own before the answer. What it returns is answered instead, if anything.
 */
export type Effect = (
  ctx: FlowContext<TransactionStores>,
) => Promise<FailedResult | typeof LOST_RACE | typeof RETRY | undefined>

/** A refusal, and what it wants written. */
export interface Refusal extends FailedResult {
  readonly effect?: Effect
}

/** What a condition finds. */
export type Decision<T> = SuccessResult<T> | Refusal

/** A claim: reads facts, and returns new ones or refuses. */
export interface Condition<Needs extends object, Adds extends object = object> {
  /** In the present tense, such as `clientIsAuthenticated`. Logged, never sent. */
  readonly name: string
  readonly check: (ctx: FlowContext, facts: Readonly<Needs>) => Promise<Decision<Adds>> | Decision<Adds>
}

/** Conditions one after the other; the compiler proves that each finds established what it needs. */
export interface ConditionChain<In extends object, Out extends object> {
  and<Adds extends object>(next: Condition<Out, Adds>): ConditionChain<In, Out & Adds>
  check(ctx: FlowContext, facts: Readonly<In>): Promise<Decision<Readonly<Out>>>
}

/** The empty chain: what is given with the call. */
export function given<In extends object>(): ConditionChain<In, In> {
  return chain<In, In>([])
}

type Step = Condition<object, object>

function chain<In extends object, Out extends object>(steps: readonly Step[]): ConditionChain<In, Out> {
  return Object.freeze({
    and: <Adds extends object>(next: Condition<Out, Adds>) =>
      // The chain's own type keeps what the list of steps cannot say.
      chain<In, Out & Adds>([...steps, next as unknown as Step]),
    check: async (ctx: FlowContext, facts: Readonly<In>) => {
      const known = { ...facts }
      for (const step of steps) {
        const answer = step.check(ctx, known)
        const result = answer instanceof Promise ? await answer : answer
        if (!result.ok) {
          ctx.log.debug({ rayId: ctx.rayId, condition: step.name, code: result.code }, 'condition does not hold')
          return { ...result, condition: step.name }
        }
        Object.assign(known, result.value)
      }
      return success(known as unknown as Readonly<Out>)
    },
  })
}

/** Names a claim and its check. */
export function condition<Needs extends object, Adds extends object = object>(
  name: string,
  check: Condition<Needs, Adds>['check'],
): Condition<Needs, Adds> {
  return Object.freeze({ name, check })
}

/** What a postcondition finds. */
export type Confirmation = SuccessResult<object> | FailedResult | typeof LOST_RACE

/** A claim about what the flow wrote, made true and confirmed in its lane. */
export interface Postcondition<Facts extends object, Stores> {
  readonly name: string
  readonly confirm: (ctx: FlowContext<Stores>, facts: Readonly<Facts>) => Promise<Confirmation> | Confirmation
}

export function postcondition<Facts extends object, Stores>(
  name: string,
  confirm: Postcondition<Facts, Stores>['confirm'],
): Postcondition<Facts, Stores> {
  return Object.freeze({ name, confirm })
}
