import { type Result, success } from '../results.ts'
import type { FlowContext } from './context.ts'

/** A claim: reads facts, and returns new ones or refuses. */
export interface Condition<Needs extends object, Adds extends object = object> {
  /** In the present tense, such as `clientIsAuthenticated`. Logged, never sent. */
  readonly name: string
  readonly check: (ctx: FlowContext, facts: Readonly<Needs>) => Promise<Result<Adds>> | Result<Adds>
}

/** Conditions one after the other; the compiler proves that each finds established what it needs. */
export interface ConditionChain<In extends object, Out extends object> {
  and<Adds extends object>(next: Condition<Out, Adds>): ConditionChain<In, Out & Adds>
  check(ctx: FlowContext, facts: Readonly<In>): Promise<Result<Readonly<Out>>>
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
          return result
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

/** A postcondition's answer when another call was first: the flow is rolled back and judged anew. */
export const LOST_RACE = Symbol('lost race')

/** A claim about what the flow wrote, made true and confirmed in its lane. */
export interface Postcondition<Facts extends object, Stores> {
  readonly name: string
  readonly confirm: (
    ctx: FlowContext<Stores>,
    facts: Readonly<Facts>,
  ) => Promise<Result<object> | typeof LOST_RACE> | Result<object> | typeof LOST_RACE
}

export function postcondition<Facts extends object, Stores>(
  name: string,
  confirm: Postcondition<Facts, Stores>['confirm'],
): Postcondition<Facts, Stores> {
  return Object.freeze({ name, confirm })
}
