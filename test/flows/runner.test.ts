import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { backgroundCall, backgroundContext } from '../../src/context.ts'
import { DeadlineExceededError } from '../../src/deadlines.ts'
import { epochMs } from '../../src/domain/ids.ts'
import { condition, given, LOST_RACE, postcondition, RETRY } from '../../src/flows/condition.ts'
import type { FlowServices } from '../../src/flows/context.ts'
import { defineFlow, type Flow, query, type Reservation, reservation } from '../../src/flows/flow.ts'
import { FlowRunner } from '../../src/flows/runner.ts'
import { type FailedResult, fail, HOLDS } from '../../src/results.ts'
import type { AppendStores, ReadStores, TransactionStores } from '../../src/stores/contract/backend.ts'
import { StoreError } from '../../src/stores/contract/errors.ts'

type Ending = 'commits' | typeof LOST_RACE | FailedResult | Error

/** A backend without a database, with the given results of commits. It records each step. */
function stage(...endings: Ending[]) {
  const steps: string[] = []
  const step = (name: string) => {
    steps.push(name)
  }
  const next = () => endings.shift() ?? 'commits'
  const commit = () => {
    const ending = next()
    if (ending instanceof Error) throw ending
    step('commit')
  }
  const runner = new FlowRunner(
    {
      reads: {} as ReadStores,
      append: async (_ctx, fill) => {
        fill({} as AppendStores)
        commit()
      },
      transaction: async (_ctx, work) => {
        const { commit: wanted, value } = await work({} as TransactionStores)
        if (wanted) commit()
        else step('rollback')
        return value
      },
    },
    { clock: { isRight: () => true } } as FlowServices,
    { tokensIssued: () => step('counted'), raceLost: () => step('raceLost') },
  )
  /** A reservation that records when it is taken and released. */
  const spends = (name: string, take: () => FailedResult | typeof HOLDS | Promise<FailedResult> = () => HOLDS) =>
    reservation<object>({
      name,
      take: () => {
        step(`take ${name}`)
        return take()
      },
      release: () => step(`release ${name}`),
    })
  const written = postcondition<object, TransactionStores>('written', () => {
    const [ending] = endings
    if (ending !== LOST_RACE && (ending === 'commits' || ending === undefined || ending instanceof Error)) return HOLDS
    endings.shift()
    return ending
  })
  const flow = (parts: Partial<Flow<object, object, string, 'transaction'>> = {}) =>
    defineFlow<object, object, string, 'transaction'>({
      name: 'test',
      lane: 'transaction',
      issues: { grant: 'client_credentials', count: () => 1 },
      preconditions: given<object>().and(
        condition('asked', () => {
          step('check')
          return HOLDS
        }),
      ),
      run: () => {
        step('run')
        return 'issued'
      },
      postconditions: [written],
      afterCommit: () => step('afterCommit'),
      ...parts,
    })
  const ctx = backgroundCall('test', backgroundContext('test', pino({ level: 'silent' })))
  return { ctx, runner, steps, step, spends, flow }
}

const refusal = fail('limit.exceeded', {
  quota: { subject: 'client:a', description: 'too many' },
  retryAfterMs: 1_000,
})

describe('a flow', () => {
  it('checks, reserves in order, runs and commits before it calls afterCommit', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    const result = await runner.execute(flow({ reserve: [spends('a'), spends('b')] }), ctx, {})
    expect(result).toEqual({ ok: true, value: 'issued' })
    expect(steps).toEqual(['check', 'take a', 'take b', 'run', 'commit', 'afterCommit', 'counted'])
  })

  it('releases reservations in reverse order when a later one refuses, and names the condition', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    const reserve = [spends('a'), spends('b'), spends('c', async () => refusal)]
    expect(await runner.execute(flow({ reserve }), ctx, {})).toEqual({ ...refusal, condition: 'c' })
    expect(steps).toEqual(['check', 'take a', 'take b', 'take c', 'release b', 'release a'])
  })

  it('releases its reservations when a later one throws', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    const unsettled = new StoreError('outcome_unknown', 'another commit was not confirmed')
    const reserve = [spends('a'), spends('b', () => Promise.reject(unsettled))]
    await runner.execute(flow({ reserve }), ctx, {})
    expect(steps).toEqual(['check', 'take a', 'take b', 'release a'])
  })

  it('reserves again after a lost race, so that it is charged once', async () => {
    const { ctx, runner, steps, spends, flow } = stage(LOST_RACE, LOST_RACE)
    let level = 0
    const counted: Reservation<object> = {
      ...spends('a'),
      take: () => {
        level += 1
        return HOLDS
      },
      release: () => {
        level -= 1
      },
    }
    expect(await runner.execute(flow({ reserve: [counted] }), ctx, {})).toMatchObject({ ok: true })
    expect(steps.filter((each) => each === 'raceLost')).toHaveLength(2)
    expect(steps.filter((each) => each === 'afterCommit')).toHaveLength(1)
    expect(level).toBe(1)
  })

  it('takes a reservation without release only once, also after lost races', async () => {
    const { ctx, runner, steps, spends, flow } = stage(LOST_RACE, LOST_RACE)
    const reserve = [spends('a'), { ...spends('spent'), release: null }]
    await runner.execute(flow({ reserve }), ctx, {})
    expect(steps.filter((each) => each === 'take spent')).toHaveLength(1)
    expect(steps.filter((each) => each === 'take a')).toHaveLength(3)
    expect(steps.filter((each) => each === 'release a')).toHaveLength(2)
  })

  it('has reserved nothing yet when the effect of a refusal makes it run again', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    let lacks = true
    const supplied = condition<object>('supplied', () => {
      if (!lacks) return HOLDS
      return {
        ...fail('oauth.temporarily_unavailable', { retryAfterMs: 1_000 }),
        effect: async () => {
          lacks = false
          return RETRY
        },
      }
    })
    const reserve = [{ ...spends('spent'), release: null }]
    await runner.execute(flow({ preconditions: given<object>().and(supplied), reserve }), ctx, {})
    expect(steps).toEqual(['commit', 'raceLost', 'take spent', 'run', 'commit', 'afterCommit', 'counted'])
  })

  it.each<[string, Ending, boolean]>([
    ['a postcondition refuses', refusal, true],
    ['the database is unavailable', new StoreError('unavailable', 'gone'), true],
    ['retries of a contended write are used up', new StoreError('contended', 'lost'), true],
    ['the database is broken', new StoreError('broken', 'corrupt'), true],
    ['the outcome of the commit is unknown', new StoreError('outcome_unknown', 'not confirmed'), false],
  ])('releases its reservations unless the commit may have succeeded, when %s', async (_name, ending, isReleased) => {
    const { ctx, runner, steps, spends, flow } = stage(ending)
    expect(await runner.execute(flow({ reserve: [spends('a')] }), ctx, {})).toMatchObject({ ok: false })
    expect(steps.includes('release a')).toBe(isReleased)
    expect(steps).not.toContain('afterCommit')
    expect(steps).not.toContain('counted')
  })

  it('releases its reservations when it throws', async () => {
    const { ctx, runner, steps, spends, flow } = stage(new Error('a defect'))
    await expect(runner.execute(flow({ reserve: [spends('a')] }), ctx, {})).rejects.toThrow('a defect')
    expect(steps).toContain('release a')
  })

  it('releases its reservations when its deadline expires before it writes', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    const late = Object.assign(Object.create(ctx) as typeof ctx, { deadline: epochMs(Date.now() - 1) })
    await expect(runner.execute(flow({ reserve: [spends('a')] }), late, {})).rejects.toThrow(DeadlineExceededError)
    expect(steps).toEqual(['check', 'take a', 'run', 'release a'])
  })

  it('keeps its reservations when afterCommit throws', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    const afterCommit = () => {
      throw new Error('a defect')
    }
    await expect(runner.execute(flow({ reserve: [spends('a')], afterCommit }), ctx, {})).rejects.toThrow('a defect')
    expect(steps).not.toContain('release a')
  })

  it('reserves nothing when the write is skipped', async () => {
    const { ctx, runner, steps, spends, flow } = stage()
    await runner.execute(flow({ reserve: [spends('a')], skipWrite: () => true }), ctx, {})
    expect(steps).toEqual(['check', 'run'])
  })
})

describe('a query', () => {
  const askedFor = (answer: () => FailedResult | typeof HOLDS) =>
    query({ name: 'test', preconditions: given<object>().and(condition('asked', answer)), answer: () => 'answer' })

  it('answers, or names the condition that refused', async () => {
    const { ctx, runner, steps } = stage()
    expect(
      await runner.query(
        askedFor(() => HOLDS),
        ctx,
        {},
      ),
    ).toEqual({ ok: true, value: 'answer' })
    expect(
      await runner.query(
        askedFor(() => refusal),
        ctx,
        {},
      ),
    ).toEqual({ ...refusal, condition: 'asked' })
    expect(steps).toEqual([])
  })

  it('writes nothing, and throws for a refusal with an effect', async () => {
    const { ctx, runner, steps } = stage()
    const writing = askedFor(() => Object.assign({ effect: async () => undefined }, refusal))
    await expect(runner.query(writing, ctx, {})).rejects.toThrow('asked wants to write')
    expect(steps).toEqual([])
  })
})
