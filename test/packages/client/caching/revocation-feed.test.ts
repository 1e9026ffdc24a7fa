import { durationMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RetryInfoSchema } from '../../../../packages/client/src/gen/google/rpc/error_details_pb.ts'
import {
  CachingVerifier,
  type CachingVerifierOptions,
} from '../../../../packages/client/src/verification/caching/caching-verifier.ts'
import { type Clock, SYSTEM_CLOCK } from '../../../../packages/client/src/verification/caching/clock.ts'
import { ScriptedServer } from './scripted-server.ts'

/** Records each pause, and waits only for one turn of the event loop. */
class NotedPauses implements Clock {
  readonly pauses: number[] = []
  monotonicMs = SYSTEM_CLOCK.monotonicMs
  wallMs = SYSTEM_CLOCK.wallMs

  pause(ms: number): Promise<void> {
    this.pauses.push(ms)
    return new Promise((resolve) => setImmediate(resolve))
  }
}

function given(options: Partial<CachingVerifierOptions> = {}) {
  const server = new ScriptedServer('available')
  const clock = new NotedPauses()
  const failures: unknown[] = []
  const verifier = new CachingVerifier(server.channel, {
    caller: { clientId: 'warehouse', clientSecret: 'qcs_secret' },
    audience: null,
    clock,
    onPollFailure: (error) => failures.push(error),
    ...options,
  })
  onTestFinished(() => verifier.close())
  const poll = async () => {
    await expect.poll(() => server.polls.length).toBe(1)
    const [held] = server.polls.splice(0, 1)
    if (held === undefined) throw new Error('the poll is gone')
    return held
  }
  return { server, clock, failures, verifier, poll }
}

describe('the polls for revocations', () => {
  it('wait for a third of the bound, or not at all when there is more to read', async () => {
    const { server, poll } = given({ boundMs: 9_000 })
    server.answerPoll(await poll(), { poll: 'answered', more: true })
    const more = await poll()
    expect(more.request.wait === undefined ? null : durationMs(more.request.wait)).toBe(0)
    server.answerPoll(more, { poll: 'answered' })
    const last = await poll()
    expect(last.request.wait === undefined ? null : durationMs(last.request.wait)).toBe(3_000)
  })

  it('wait for at most 30 s, which is the limit of QScope', async () => {
    const { poll } = given({ boundMs: 3_600_000 })
    const { wait } = (await poll()).request
    expect(wait === undefined ? null : durationMs(wait)).toBe(30_000)
  })

  it('are repeated after a failure with a pause that doubles, up to 2 s', async () => {
    const { server, clock, failures, poll } = given()
    for (let n = 0; n < 8; n += 1) server.answerPoll(await poll(), { poll: 'fails' })
    await poll()
    expect(failures).toHaveLength(8)
    for (const [index, ms] of clock.pauses.entries()) {
      const longest = Math.min(100 * 2 ** index, 2_000)
      expect(ms).toBeGreaterThanOrEqual(longest / 2)
      expect(ms).toBeLessThanOrEqual(longest)
    }
  })

  it('pause for the retry delay of the refusal', async () => {
    const { clock, poll } = given()
    const value = { retryDelay: { seconds: 7n } }
    const held = await poll()
    held.fail(new ConnectError('too many', Code.ResourceExhausted, undefined, [{ desc: RetryInfoSchema, value }]))
    await poll()
    expect(clock.pauses.map((ms) => ms >= 7_000)).toEqual([true])
  })

  it('pause for at least 15 s when the server does not implement them', async () => {
    const { clock, poll } = given()
    const held = await poll()
    held.fail(new ConnectError('unknown', Code.Unimplemented))
    await poll()
    expect(clock.pauses.map((ms) => ms >= 15_000)).toEqual([true])
  })

  it('pause for 100 ms when the server returns at once without revocations', async () => {
    const { server, clock, poll } = given()
    for (let n = 0; n < 3; n += 1) server.answerPoll(await poll(), { poll: 'answered' })
    await poll()
    expect(clock.pauses).toEqual([100, 100])
  })

  it('end when the verifier is closed', async () => {
    const { server, verifier, poll, failures } = given()
    server.answerPoll(await poll(), { poll: 'answered' })
    await poll()
    verifier.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(server.polls).toEqual([])
    expect(failures).toEqual([])
  })
})

describe('a caching verifier', () => {
  it.each([
    { boundMs: 10 },
    { boundMs: Number.NaN },
    { maxAnswers: 0 },
    { maxRevocations: -1 },
    { timeoutMs: 120_000 },
  ])('refuses %o', (options) => {
    expect(() => given(options)).toThrow(RangeError)
  })

  it('reports its state', async () => {
    const { server, verifier, poll } = given({ issuer: 'https://qscope.internal' })
    const nothing = { isCurrent: false, ageMs: null, acceptsOffline: false, answers: 0, revocations: 0 }
    expect(verifier.state).toEqual(nothing)
    server.answerPoll(await poll(), { poll: 'answered', tells: [{ key: 'a', forget_in: 1e9 }] })
    await poll()
    expect(verifier.state).toMatchObject({ isCurrent: true, acceptsOffline: true, answers: 0, revocations: 1 })
  })
})
