import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type IncomingMessage, IncomingMessages } from '../../src/rpc/incoming-messages.ts'

const MIB = 1024 * 1024
const LIMITS = { totalBytes: 16 * MIB, connectionBytes: 4 * MIB, arrivalMs: 30_000 }

type Outcome = 'reading' | 'paused' | 'refused'

/** Messages on their way, and what became of each. */
function arriving() {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const messages = new IncomingMessages(MIB, LIMITS, () => Date.now())
  return {
    messages,
    begin(peer: string, connection: object, size: number) {
      let outcome: Outcome = 'reading'
      const message: IncomingMessage = messages.open(
        {
          peer,
          connection,
          pause: () => {
            outcome = 'paused'
          },
          resume: () => {
            outcome = 'reading'
          },
          refuse: (failure) => {
            expect(failure).toMatchObject({
              code: 'limit.exceeded',
              details: { quota: { subject: `peer:${peer}` }, retryAfterMs: expect.any(Number) },
            })
            outcome = 'refused'
          },
        },
        100,
      )
      message.expect(size)
      return { message, outcome: () => outcome }
    },
  }
}

type Begun = ReturnType<ReturnType<typeof arriving>['begin']>

const count = (calls: readonly Begun[], outcome: Outcome) => calls.filter((call) => call.outcome() === outcome).length

describe('messages on their way', () => {
  it('have a short time limit when the server stops, and are told to retry', () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const messages = new IncomingMessages(MIB, { ...LIMITS, stoppingArrivalMs: 5_000 }, () => Date.now())
    const refused: string[] = []
    const begin = (name: string) =>
      messages.open(
        {
          peer: '192.0.2.1',
          connection: messages,
          pause: () => undefined,
          resume: () => undefined,
          refuse: ({ code }) => refused.push(`${name} ${code}`),
        },
        100,
      )
    begin('before')
    vi.advanceTimersByTime(10_000)
    messages.stop()
    vi.advanceTimersByTime(3_000)
    messages.stop()
    begin('meanwhile')
    const arrives = begin('arrives')
    expect(refused).toEqual([])
    vi.advanceTimersByTime(3_000)
    expect(refused).toEqual(['before oauth.temporarily_unavailable'])
    arrives.close()
    vi.advanceTimersByTime(3_000)
    expect(refused.slice(1)).toEqual(['meanwhile oauth.temporarily_unavailable'])
    expect(messages.bytes).toBe(0)
  })

  it('are read up to the limit of their connection, and the next when one has arrived', () => {
    const { begin, messages } = arriving()
    const connection = {}
    const calls = Array.from({ length: 10 }, () => begin('192.0.2.1', connection, MIB))
    expect([count(calls, 'reading'), count(calls, 'paused')]).toEqual([4, 6])
    calls[0]?.message.close()
    expect(calls[4]?.outcome()).toBe('reading')
    expect(calls[5]?.outcome()).toBe('paused')
    for (const call of calls) call.message.close()
    expect(count(calls, 'paused')).toBe(0)
    expect(messages.bytes).toBe(0)
  })

  it('are always read if they are small', () => {
    const { begin } = arriving()
    const connection = {}
    for (let n = 0; n < 10; n += 1) begin('192.0.2.1', connection, MIB)
    expect(begin('192.0.2.1', connection, 1_000).outcome()).toBe('reading')
  })

  it('never take more than their total, however many callers send them', () => {
    const { begin, messages } = arriving()
    for (let n = 0; n < 5_000; n += 1) {
      begin(`192.0.${n % 200}.1`, {}, n % 2 === 0 ? MIB : 1_000)
      expect(messages.bytes).toBeLessThanOrEqual(LIMITS.totalBytes)
    }
  })

  it('are refused for the address that takes the most, so that others are served', () => {
    const { begin } = arriving()
    const greedy = Array.from({ length: 40 }, () => begin('192.0.2.1', {}, MIB))
    const modest = begin('192.0.2.2', {}, MIB)
    vi.advanceTimersByTime(3_000)
    expect(modest.outcome()).toBe('reading')
    expect(count(greedy, 'refused')).toBe(1)
  })

  it('are refused for the connection that takes the most, so that others of the same address are served', () => {
    const { begin } = arriving()
    const connections = [{}, {}, {}]
    for (let n = 0; n < 30; n += 1) begin('192.0.2.1', connections[n % 3] ?? {}, MIB)
    const modest = begin('192.0.2.1', {}, MIB)
    vi.advanceTimersByTime(3_000)
    expect(modest.outcome()).toBe('reading')
  })

  it('are refused when they take too long to arrive', () => {
    const { begin, messages } = arriving()
    const slow = begin('192.0.2.1', {}, 1_000)
    vi.advanceTimersByTime(20_000)
    const later = begin('192.0.2.1', {}, 1_000)
    vi.advanceTimersByTime(15_000)
    expect([slow.outcome(), later.outcome()]).toEqual(['refused', 'reading'])
    later.message.close()
    expect(messages.bytes).toBe(0)
  })

  it('count more than their size when they arrive in many pieces', () => {
    const { begin, messages } = arriving()
    const { message } = begin('192.0.2.1', {}, 100_000)
    const before = messages.bytes
    for (let n = 0; n < 10_000; n += 1) message.received(1)
    expect(messages.bytes - before).toBeGreaterThan(1_000_000)
  })

  it("may be larger than a connection's limit: then one is read at a time", () => {
    const messages = new IncomingMessages(8 * MIB, LIMITS)
    const outcomes: Outcome[] = ['reading', 'reading']
    const connection = {}
    const begun = outcomes.map((_outcome, index) => {
      const message = messages.open(
        {
          peer: '192.0.2.1',
          connection,
          pause: () => void outcomes.splice(index, 1, 'paused'),
          resume: () => void outcomes.splice(index, 1, 'reading'),
          refuse: () => void outcomes.splice(index, 1, 'refused'),
        },
        0,
      )
      message.expect(8 * MIB)
      return message
    })
    expect(outcomes).toEqual(['reading', 'paused'])
    begun[0]?.close()
    expect(outcomes).toEqual(['reading', 'reading'])
    begun[1]?.close()
  })
})
