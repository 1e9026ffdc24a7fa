import type { CallContext } from '../context.ts'
import { type FailedResult, type SuccessResult, success } from '../results.ts'
import type { TransactionStores } from '../stores/contract/backend.ts'
import type { FlowContext, LaneContext } from './context.ts'

/** The answer of a postcondition or effect if another call was first. Everything is rolled back and evaluated again. */
export const LOST_RACE = Symbol('lost race')

/**
 * The answer of an effect that created what the flow lacked. The effect is committed, and the flow is evaluated again.
 */
export const RETRY = Symbol('retry')

/**
 * A side effect of a refusal, such as a revocation. It commits in a transaction of its own before the answer. Its
 * return value, if any, replaces the answer. Like a postcondition it may touch only its stores.
 */
export type Effect = (
  ctx: LaneContext<TransactionStores>,
) => Promise<FailedResult | typeof LOST_RACE | typeof RETRY | undefined>

/** A refusal, and its effect, if any. */
export interface Refusal extends FailedResult {
  readonly effect?: Effect
}

/** The result of a condition. */
export type Decision<T> = SuccessResult<T> | Refusal

/** A claim. It reads facts, and either returns new ones or refuses. */
export interface Condition<Needs extends object, Adds extends object = object> {
  /** In the present tense, such as `clientIsAuthenticated`. Logged, never sent. */
  readonly name: string
  /** The function passed to {@link condition}. A flow lists its conditions in `preconditions`. */
  readonly check: (ctx: FlowContext, facts: Readonly<Needs>) => Promise<Decision<Adds>> | Decision<Adds>
}

type Step = Condition<object, object>

/** The name of an evaluated condition, and its result. */
export interface EvaluatedCondition {
  readonly name: string
  readonly decision: Decision<object>
}

/** The evaluation of a chain: each condition up to the first that failed, and the facts established until then. */
export interface Trace<Out extends object> {
  readonly evaluated: readonly EvaluatedCondition[]
  readonly known: Readonly<Partial<Out>>
  /** The refusal of the last condition. `null`: all hold. */
  readonly refusal: Refusal | null
}

/** A sequence of conditions. The compiler checks that each gets the facts that it needs. */
export class ConditionChain<In extends object, Out extends object> {
  readonly #steps: readonly Step[]

  constructor(steps: readonly Step[]) {
    this.#steps = steps
  }

  /** The names of the conditions, in the order of evaluation. */
  get names(): readonly string[] {
    return this.#steps.map(({ name }) => name)
  }

  /** The chain with one more condition at its end. */
  and<Adds extends object>(next: Condition<Out, Adds>): ConditionChain<In, Out & Adds> {
    // The chain's own type keeps the types that the list of steps cannot express.
    return new ConditionChain<In, Out & Adds>([...this.#steps, next as unknown as Step])
  }

  /** Appends a chain whose conditions several flows share. */
  followedBy<More extends object>(next: ConditionChain<Out, More>): ConditionChain<In, Out & More> {
    return new ConditionChain<In, Out & More>([...this.#steps, ...next.#steps])
  }

  /** Like `check`, but also returns how the decision was made. Effects of a refusal are not executed. */
  async trace(ctx: FlowContext, facts: Readonly<In>): Promise<Trace<Out>> {
    const known = { ...facts } as unknown as Partial<Out>
    const evaluated: EvaluatedCondition[] = []
    for (const step of this.#steps) {
      const decision = await step.check(ctx, known)
      evaluated.push({ name: step.name, decision })
      if (!decision.ok) return { evaluated, known, refusal: decision }
      Object.assign(known, decision.value)
    }
    return { evaluated, known, refusal: null }
  }

  /**
   * Checks the conditions in order, and passes on the facts that they add. The first that fails refuses. Returns a
   * promise only if a condition is asynchronous.
   */
  check(ctx: FlowContext, facts: Readonly<In>): Decision<Readonly<Out>> | Promise<Decision<Readonly<Out>>> {
    const known = { ...facts }
    for (const [at, step] of this.#steps.entries()) {
      const answer = step.check(ctx, known)
      if (answer instanceof Promise) return this.#checkFrom(at, answer, ctx, known)
      if (!answer.ok) return refusedBy(step, ctx, answer)
      Object.assign(known, answer.value)
    }
    return success(known as unknown as Readonly<Out>)
  }

  /** Continues with the condition at `from`, whose result is awaited. */
  async #checkFrom(
    from: number,
    first: Promise<Decision<object>>,
    ctx: FlowContext,
    known: object,
  ): Promise<Decision<Readonly<Out>>> {
    let waited: Promise<Decision<object>> | null = first
    for (const step of this.#steps.slice(from)) {
      const answer = waited ?? step.check(ctx, known)
      waited = null
      const result = answer instanceof Promise ? await answer : answer
      if (!result.ok) return refusedBy(step, ctx, result)
      Object.assign(known, result.value)
    }
    return success(known as unknown as Readonly<Out>)
  }
}

/** The empty chain, which starts with the facts of the call. */
export function given<In extends object>(): ConditionChain<In, In> {
  return new ConditionChain<In, In>([])
}

/** Adds the name of the failed claim, for the log. */
export function refusedBy(
  claim: { readonly name: string },
  ctx: Pick<CallContext, 'log' | 'rayId'>,
  refusal: Refusal,
): Refusal {
  ctx.log.debug({ rayId: ctx.rayId, condition: claim.name, code: refusal.code }, 'condition does not hold')
  return { ...refusal, condition: claim.name }
}

/** Creates a condition from a claim's name and its check. */
export function condition<Needs extends object, Adds extends object = object>(
  name: string,
  check: Condition<Needs, Adds>['check'],
): Condition<Needs, Adds> {
  return Object.freeze({ name, check })
}

/** The result of a postcondition. */
export type Confirmation = SuccessResult<object> | FailedResult | typeof LOST_RACE

/**
 * A claim about the flow's writes, which it makes and confirms in the flow's lane. It may run more than once and be
 * rolled back. It therefore gets only the stores of the lane, and no services that a rollback would not undo.
 */
export interface Postcondition<Facts extends object, Stores> {
  readonly name: string
  /** The function passed to {@link postcondition}. A flow lists its postconditions in `postconditions`. */
  readonly confirm: (ctx: LaneContext<Stores>, facts: Readonly<Facts>) => Promise<Confirmation> | Confirmation
}

export function postcondition<Facts extends object, Stores>(
  name: string,
  confirm: Postcondition<Facts, Stores>['confirm'],
): Postcondition<Facts, Stores> {
  return Object.freeze({ name, confirm })
}
