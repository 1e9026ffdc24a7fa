import type { CallContext } from '../context.ts'
import { DeadlineExceededError } from '../deadlines.ts'
import type { GrantType } from '../domain/client.ts'
import { type FailedResult, type Result, success } from '../results.ts'
import { contended, refusalForStoreError } from '../store-failure.ts'
import type { AppendStores, Backend, TransactionStores } from '../stores/contract/backend.ts'
import { StoreError } from '../stores/contract/errors.ts'
import { clockIsRight } from './clock.ts'
import { LOST_RACE, type Postcondition, RETRY, type Refusal, refusedBy } from './condition.ts'
import { FlowCall, type FlowContext, type FlowServices, LaneCall } from './context.ts'
import type { Flow, Lane, QueryFlow, Reservation } from './flow.ts'

/** How often a flow that keeps losing its race is evaluated again. */
const MAX_ATTEMPTS = 8
/** What a flow reserves that says nothing of it. */
const NOTHING: readonly Reservation<object>[] = []

/** Sees what flows bring about. It is told in the path of calls, so it is quick and never throws. */
export interface FlowObserver {
  /** So many access tokens were issued: they are durable. A repeated answer issues none. */
  tokensIssued(grant: GrantType, count: number): void
  /** A flow found that another call had been faster, and is evaluated again. */
  raceLost(flow: string): void
}

/** How a pass through a flow ends; the symbols: it is evaluated again. */
type Attempt<Output> = Result<Output> | typeof LOST_RACE | typeof RETRY

/** What the runner needs of a backend. */
type FlowBackend = Pick<Backend, 'reads' | 'append' | 'transaction'>

/** Runs flows and queries: the template that nobody overrides. */
export class FlowRunner {
  readonly #backend: FlowBackend
  readonly #services: FlowServices
  readonly #observer: FlowObserver | undefined

  constructor(backend: FlowBackend, services: FlowServices, observer?: FlowObserver) {
    this.#backend = backend
    this.#services = services
    this.#observer = observer
  }

  /** Answers a query. */
  async query<Input extends object, Facts extends object, Output>(
    flow: QueryFlow<Input, Facts, Output>,
    ctx: CallContext,
    input: Readonly<Input>,
  ): Promise<Result<Output>> {
    const flowContext = new FlowCall(ctx, this.#backend.reads, this.#services)
    try {
      const checked = flow.preconditions.check(flowContext, input)
      const evaluated = checked instanceof Promise ? await checked : checked
      if (evaluated.ok) return success(await flow.answer(flowContext, evaluated.value))
      if (evaluated.effect !== undefined) throw new Error(`${evaluated.condition} wants to write, and a query must not`)
      return evaluated
    } catch (error) {
      return refusalForStoreError(error, ctx, true)
    }
  }

  /** Executes a flow; one that loses a race is evaluated again, a few times. */
  async execute<Input extends object, Facts extends object, Output, L extends Lane>(
    flow: Flow<Input, Facts, Output, L>,
    ctx: CallContext,
    input: Readonly<Input>,
  ): Promise<Result<Output>> {
    let isRepeated = false
    try {
      for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts += 1) {
        const result: Attempt<Output> = await this.#attempt(flow, ctx, input, isRepeated)
        if (result !== LOST_RACE && result !== RETRY) return result
        isRepeated ||= result === LOST_RACE
        this.#observer?.raceLost(flow.name)
        ctx.log.debug({ rayId: ctx.rayId, flow: flow.name, attempts }, 'lost a race; retrying')
      }
      return contended()
    } catch (error) {
      return refusalForStoreError(error, ctx, flow.lane === 'append')
    }
  }

  /**
   * What a flow would answer, and what that rests on. Nothing is spent or written: what
   * its writes alone can find out, such as a lost race, is not found out.
   */
  async preview<Input extends object, Facts extends object, Output, L extends Lane>(
    flow: Flow<Input, Facts, Output, L>,
    ctx: CallContext,
    input: Readonly<Input>,
  ): Promise<Result<{ readonly facts: Readonly<Facts>; readonly output: Output }>> {
    const flowContext = new FlowCall(ctx, this.#backend.reads, this.#services)
    try {
      const evaluated = await flow.preconditions.check(flowContext, input)
      if (!evaluated.ok) return withoutEffect(evaluated)
      return success({ facts: evaluated.value, output: await flow.run(flowContext, evaluated.value) })
    } catch (error) {
      return refusalForStoreError(error, ctx, true)
    }
  }

  /**
   * One pass through the parts of a flow. `isRepeated`: the call has lost a race
   * before, so what cannot be released is still taken.
   */
  async #attempt<Input extends object, Facts extends object, Output, L extends Lane>(
    flow: Flow<Input, Facts, Output, L>,
    ctx: CallContext,
    input: Readonly<Input>,
    isRepeated: boolean,
  ): Promise<Attempt<Output>> {
    const flowContext = new FlowCall(ctx, this.#backend.reads, this.#services)
    if (flow.issues !== undefined) {
      const answer = clockIsRight.check(flowContext, {})
      const clock = answer instanceof Promise ? await answer : answer
      if (!clock.ok) return refusedBy(clockIsRight, ctx, clock)
    }
    const evaluated = await flow.preconditions.check(flowContext, input)
    if (!evaluated.ok) return await this.#refuse(ctx, evaluated)
    if (flow.skipWrite?.(flowContext, evaluated.value)) return success(await flow.run(flowContext, evaluated.value))
    const { reserve = NOTHING } = flow
    let taken = 0
    let isSent = false
    let isUsed = false
    try {
      for (const each of reserve) {
        if (!isRepeated || each.release !== null) {
          const answer = each.take(flowContext, evaluated.value)
          const result: Result<object> = answer instanceof Promise ? await answer : answer
          if (!result.ok) return refusedBy(each, ctx, result)
        }
        taken += 1
      }
      const issued = await flow.run(flowContext, evaluated.value)
      const facts = { ...evaluated.value, issued }
      assertInTime(ctx)
      isSent = true
      // The lane's name and its stores go together in `Lanes`; a generic parameter cannot show it.
      if (flow.lane === 'append') {
        await this.#append(ctx, flow.postconditions as unknown as readonly Postcondition<object, AppendStores>[], facts)
      } else {
        const posts = flow.postconditions as unknown as readonly Postcondition<object, TransactionStores>[]
        const rolledBack = await this.#transact(ctx, posts, facts)
        if (rolledBack !== null) return rolledBack
      }
      isUsed = true
      flow.afterCommit?.(flowContext, facts)
      if (flow.issues !== undefined) {
        this.#observer?.tokensIssued(flow.issues.grant, flow.issues.count(issued))
      }
      return success(issued)
    } catch (error) {
      // It may be committed: then what was taken is used, and to give it back would let the client exceed its limit.
      isUsed ||= isSent && error instanceof StoreError && error.fault === 'outcome_unknown'
      throw error
    } finally {
      if (!isUsed) release(reserve, taken, flowContext, evaluated.value)
    }
  }

  /** Resolves once what the postconditions wrote is durable. */
  #append(ctx: CallContext, posts: readonly Postcondition<object, AppendStores>[], facts: object): Promise<void> {
    return this.#backend.append(ctx, (stores) => {
      const laneContext = new LaneCall(ctx, stores)
      for (const post of posts) assertHeld(post.name, post.confirm(laneContext, facts))
    })
  }

  /** The same for a transaction; answers why it was rolled back instead, or `null`. */
  #transact(
    ctx: CallContext,
    posts: readonly Postcondition<object, TransactionStores>[],
    facts: object,
  ): Promise<FailedResult | typeof LOST_RACE | null> {
    return this.#backend.transaction<FailedResult | typeof LOST_RACE | null>(ctx, async (stores) => {
      const laneContext = new LaneCall(ctx, stores)
      for (const post of posts) {
        const confirmed = await post.confirm(laneContext, facts)
        if (confirmed === LOST_RACE || !confirmed.ok) return { commit: false, value: confirmed }
      }
      return { commit: true, value: null }
    })
  }

  /** What a refusal wants written stands before it is answered. `RETRY`: the flow is evaluated again instead. */
  async #refuse(ctx: CallContext, refusal: Refusal): Promise<FailedResult | typeof RETRY> {
    const { effect } = refusal
    if (effect === undefined) return refusal
    const ended = await this.#backend.transaction<Awaited<ReturnType<typeof effect>>>(ctx, async (stores) => {
      const value = await effect(new LaneCall(ctx, stores))
      return { commit: value !== LOST_RACE, value }
    })
    return ended === LOST_RACE ? RETRY : (ended ?? withoutEffect(refusal))
  }
}

function withoutEffect({ effect: _unwritten, ...refusal }: Refusal): FailedResult {
  return refusal
}

/** Gives back the first `taken` reservations, the last one first. */
function release<Facts extends object>(
  reserve: readonly Reservation<Facts>[],
  taken: number,
  ctx: FlowContext,
  facts: Facts,
): void {
  for (let at = taken - 1; at >= 0; at -= 1) reserve[at]?.release?.(ctx, facts)
}

/** What a call wants written is not written when its caller has stopped waiting for it; what a refusal wants is. */
function assertInTime({ deadline }: CallContext): void {
  if (deadline !== null && deadline <= Date.now()) {
    throw new DeadlineExceededError('the deadline was over before anything was written')
  }
}

/** An entry of a group commit is filled before it is sent, so its postconditions neither wait nor lose. */
function assertHeld(name: string, answer: unknown): void {
  const fine = typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true
  if (!fine) throw new Error(`postcondition ${name} of an append flow did not hold at once`)
}
