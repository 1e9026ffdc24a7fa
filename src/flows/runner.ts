import type { CallContext } from '../context.ts'
import { type FailedResult, type Result, success } from '../results.ts'
import { contended, refusalForStoreError } from '../store-failure.ts'
import type { AppendStores, Backend, TransactionStores } from '../stores/contract/backend.ts'
import { StoreError } from '../stores/contract/errors.ts'
import { LOST_RACE, type Postcondition, RETRY, type Refusal } from './condition.ts'
import { type FlowServices, withStores } from './context.ts'
import type { Flow, Lane } from './flow.ts'

/** How often a flow that keeps losing its race is judged anew. */
const MAX_ATTEMPTS = 8

/** Runs flows: the template that nobody overrides. */
export interface FlowRunner {
  execute<Input extends object, Facts extends object, Output, L extends Lane>(
    flow: Flow<Input, Facts, Output, L>,
    ctx: CallContext,
    input: Readonly<Input>,
  ): Promise<Result<Output>>
}

export function createFlowRunner(backend: Backend, services: FlowServices): FlowRunner {
  /** One pass through the three steps. */
  async function attempt<Input extends object, Facts extends object, Output, L extends Lane>(
    flow: Flow<Input, Facts, Output, L>,
    ctx: CallContext,
    input: Readonly<Input>,
  ): Promise<Result<Output> | typeof LOST_RACE> {
    const flowContext = withStores(ctx, services, backend.reads)
    const judged = await flow.preconditions.check(flowContext, input)
    if (!judged.ok) return await refuse(ctx, judged)
    const issued = await flow.run(flowContext, judged.value)
    if (flow.skipWrite?.(flowContext, judged.value)) return success(issued)
    const facts = { ...judged.value, issued }
    switch (flow.lane) {
      case 'read':
        return success(issued)
      case 'append': {
        insistOnTime(ctx)
        // The lane's name and its stores go together in `Lanes`; a generic parameter cannot show it.
        const posts = flow.postconditions as unknown as readonly Postcondition<typeof facts, AppendStores>[]
        await backend.append(ctx, (stores) => {
          const laneContext = withStores(ctx, services, stores)
          for (const post of posts) insistOnSuccess(post.name, post.confirm(laneContext, facts))
        })
        tell(flow, issued)
        return success(issued)
      }
      case 'transaction': {
        insistOnTime(ctx)
        const posts = flow.postconditions as unknown as readonly Postcondition<typeof facts, TransactionStores>[]
        const ended = await backend.transaction<Result<Output> | typeof LOST_RACE>(ctx, async (stores) => {
          const laneContext = withStores(ctx, services, stores)
          for (const post of posts) {
            const confirmed = await post.confirm(laneContext, facts)
            if (confirmed === LOST_RACE) return { commit: false, value: LOST_RACE }
            if (!confirmed.ok) return { commit: false, value: confirmed }
          }
          return { commit: true, value: success(issued) }
        })
        if (ended !== LOST_RACE && ended.ok) tell(flow, issued)
        return ended
      }
      default:
        return flow.lane satisfies never
    }
  }

  /** Counts what is durable now. */
  function tell<Output>({ issues }: Pick<Flow<object, object, Output>, 'issues'>, issued: Output): void {
    if (issues !== undefined) services.observer?.tokensIssued(issues.grant, issues.count(issued))
  }

  /** What a refusal wants written stands before it is answered. */
  async function refuse(ctx: CallContext, refusal: Refusal): Promise<FailedResult | typeof LOST_RACE> {
    const { effect, ...failed } = refusal
    if (effect === undefined) return refusal
    const ended = await backend.transaction<Awaited<ReturnType<typeof effect>>>(ctx, async (stores) => {
      const value = await effect(withStores(ctx, services, stores))
      return { commit: value !== LOST_RACE, value }
    })
    if (ended === RETRY) return LOST_RACE
    return ended ?? failed
  }

  return {
    execute: async (flow, ctx, input) => {
      try {
        for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts += 1) {
          const result = await attempt(flow, ctx, input)
          if (result !== LOST_RACE) return result
          services.observer?.raceLost(flow.name)
          ctx.log.debug({ rayId: ctx.rayId, flow: flow.name, attempts }, 'lost a race; judging anew')
        }
        return contended()
      } catch (error) {
        return refusalForStoreError(error, ctx, flow.lane === 'append')
      }
    },
  }
}

/** What a call wants written is not written when its caller has stopped waiting for it; what a refusal wants is. */
function insistOnTime({ deadline }: CallContext): void {
  if (deadline !== null && deadline <= Date.now()) {
    throw new StoreError('unavailable', 'the deadline was over before anything was written')
  }
}

/** An entry of a group commit is filled before it is sent, so its postconditions neither wait nor lose. */
function insistOnSuccess(name: string, answer: unknown): void {
  const fine = typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true
  if (!fine) throw new Error(`postcondition ${name} of an append flow did not hold at once`)
}
