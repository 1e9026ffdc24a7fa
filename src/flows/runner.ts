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

/** The number of times that a flow is evaluated if it keeps losing races. */
const MAX_ATTEMPTS = 8
/** The default for flows without reservations. */
const NOTHING: readonly Reservation<object>[] = []

/** Observes the effects of flows. It is called in the path of calls, so it must be fast and must not throw. */
export interface FlowObserver {
  /** Called when this number of access tokens is durable. A repeated answer issues none. */
  tokensIssued(grant: GrantType, count: number): void
  /** Another call was faster, and the flow is evaluated again. */
  raceLost(flow: string): void
}

/** The result of one pass through a flow. With one of the symbols it is evaluated again. */
type Attempt<Output> = Result<Output> | typeof LOST_RACE | typeof RETRY

/** The parts of a backend that the runner needs. */
type FlowBackend = Pick<Backend, 'reads' | 'append' | 'transaction'>

/** Runs flows and queries with one fixed sequence of steps. */
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

  /** Executes a flow. A flow that loses a race is evaluated again, up to `MAX_ATTEMPTS` times. */
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
   * The answer that a flow would give, and the facts for it. It writes and reserves nothing, so outcomes that only a
   * write can reveal, such as a lost race, are not detected.
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
   * One pass through the parts of a flow. `isRepeated`: the call has lost a race before, so its reservations that
   * cannot be released are still held.
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
      // `Lanes` relates the lane's name to its stores. A generic parameter cannot express that.
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
      // The write may be committed. In that case releasing the reservations would let the client exceed its limit.
      isUsed ||= isSent && error instanceof StoreError && error.fault === 'outcome_unknown'
      throw error
    } finally {
      if (!isUsed) release(reserve, taken, flowContext, evaluated.value)
    }
  }

  /** Resolves when the writes of the postconditions are durable. */
  #append(ctx: CallContext, posts: readonly Postcondition<object, AppendStores>[], facts: object): Promise<void> {
    return this.#backend.append(ctx, (stores) => {
      const laneContext = new LaneCall(ctx, stores)
      for (const post of posts) assertHeld(post.name, post.confirm(laneContext, facts))
    })
  }

  /** The same for a transaction. Returns the reason for a rollback, or `null`. */
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

  /** Commits the effect of a refusal before the answer. `RETRY`: the flow is evaluated again instead. */
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

/** Releases the first `taken` reservations in reverse order. */
function release<Facts extends object>(
  reserve: readonly Reservation<Facts>[],
  taken: number,
  ctx: FlowContext,
  facts: Facts,
): void {
  for (let at = taken - 1; at >= 0; at -= 1) reserve[at]?.release?.(ctx, facts)
}

/** A call does not write after its deadline. Effects of refusals are written nevertheless. */
function assertInTime({ deadline }: CallContext): void {
  if (deadline !== null && deadline <= Date.now()) {
    throw new DeadlineExceededError('the deadline was over before anything was written')
  }
}

/** An entry of a group commit is complete before it is sent, so its postconditions can neither wait nor lose a race. */
function assertHeld(name: string, answer: unknown): void {
  const fine = typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true
  if (!fine) throw new Error(`postcondition ${name} of an append flow did not hold at once`)
}
