import type { CallContext } from '../context.ts'
import { type FailedResult, type SuccessResult, success } from '../results.ts'
import type { TransactionStores } from '../stores/contract/backend.ts'
import type { FlowContext, LaneContext } from './context.ts'

/** A postcondition's or effect's answer when another call was first: everything is rolled back and evaluated again. */
export const LOST_RACE = Symbol('lost race')

/** An effect's answer when what the flow lacked is there now: it stands, and the flow is evaluated again. */
export const RETRY = Symbol('retry')

/**
 * What a refusal leaves behind, such as a revocation; commits in a transaction of
 * its own before the answer. What it returns is answered instead, if anything.
 * Like a postcondition it touches nothing but its stores.
 */
export type Effect = (
  ctx: LaneContext<TransactionStores>,
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
  /** The function given to {@link condition}; which of them run, a flow lists in its `preconditions`. */
  readonly check: (ctx: FlowContext, facts: Readonly<Needs>) => Promise<Decision<Adds>> | Decision<Adds>
}

type Step = Condition<object, object>

/** A condition that was evaluated, by its name, and what it found. */
export interface EvaluatedCondition {
  readonly name: string
  readonly decision: Decision<object>
}

/** How a chain was evaluated: each condition up to the first that did not hold, and what was established until then. */
export interface Trace<Out extends object> {
  readonly evaluated: readonly EvaluatedCondition[]
  readonly known: Readonly<Partial<Out>>
  /** The refusal of the last one; `null`: all hold. */
  readonly refusal: Refusal | null
}

/** Conditions one after the other; the compiler proves that each finds established what it needs. */
export class ConditionChain<In extends object, Out extends object> {
  readonly #steps: readonly Step[]

  constructor(steps: readonly Step[]) {
    this.#steps = steps
  }

  /** The names of the conditions, in the order in which they are evaluated. */
  get names(): readonly string[] {
    return this.#steps.map(({ name }) => name)
  }

  /** The chain with one more condition at its end. */
  and<Adds extends object>(next: Condition<Out, Adds>): ConditionChain<In, Out & Adds> {
    // The chain's own type keeps what the list of steps cannot say.
    return new ConditionChain<In, Out & Adds>([...this.#steps, next as unknown as Step])
  }

  /** The chain with another at its end, whose conditions several flows share. */
  followedBy<More extends object>(next: ConditionChain<Out, More>): ConditionChain<In, Out & More> {
    return new ConditionChain<In, Out & More>([...this.#steps, ...next.#steps])
  }

  /** As `check`, for who wants to know how it was decided. No effect of a refusal is brought about. */
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
   * Checks one condition after the other, and hands on what they add; the first that does not hold refuses. A promise
   * only where a condition has to wait.
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

  /** Goes on with the condition at `from`, whose answer is waited for. */
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

/** The empty chain: what is given with the call. */
export function given<In extends object>(): ConditionChain<In, In> {
  return new ConditionChain<In, In>([])
}

/** Names the claim that did not hold, for the log. */
export function refusedBy(
  claim: { readonly name: string },
  ctx: Pick<CallContext, 'log' | 'rayId'>,
  refusal: Refusal,
): Refusal {
  ctx.log.debug({ rayId: ctx.rayId, condition: claim.name, code: refusal.code }, 'condition does not hold')
  return { ...refusal, condition: claim.name }
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

/**
 * A claim about what the flow wrote, made true and confirmed in its lane. It may
 * run more than once and be rolled back, so it sees the stores of the lane, and no
 * services that a rollback would not undo.
 */
export interface Postcondition<Facts extends object, Stores> {
  readonly name: string
  /** The function given to {@link postcondition}; which of them run, a flow lists in its `postconditions`. */
  readonly confirm: (ctx: LaneContext<Stores>, facts: Readonly<Facts>) => Promise<Confirmation> | Confirmation
}

export function postcondition<Facts extends object, Stores>(
  name: string,
  confirm: Postcondition<Facts, Stores>['confirm'],
): Postcondition<Facts, Stores> {
  return Object.freeze({ name, confirm })
}
