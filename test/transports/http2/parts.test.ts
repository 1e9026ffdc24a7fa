import { describe, expect, it } from 'vitest'
import { Closed, ClosedStreams } from '../../../src/transports/http2/closed-streams.ts'
import { RateBudget } from '../../../src/transports/http2/rate-budget.ts'
import { ReceiveWindow } from '../../../src/transports/http2/receive-window.ts'
import { type PacedReader, RequestPacer } from '../../../src/transports/http2/request-pacer.ts'
import { Unchanged } from '../../../src/transports/http2/unchanged.ts'

describe('the receive window', () => {
  it('accepts exactly as many bytes as the window has', () => {
    const window = new ReceiveWindow(100)
    expect([window.receive(60), window.receive(40), window.receive(1), window.receive(0)]).toEqual([
      true,
      true,
      false,
      true,
    ])
  })

  it('returns credit when half of it has been consumed', () => {
    const window = new ReceiveWindow(100)
    window.receive(100)
    expect([window.consume(49), window.consume(1), window.consume(50)]).toEqual([0, 50, 50])
    expect(window.receive(100)).toBe(true)
  })

  it('is resized by SETTINGS, and may become negative', () => {
    const window = new ReceiveWindow(100)
    window.receive(80)
    window.resize(50)
    expect(window.receive(1)).toBe(false)
    expect(window.consume(80)).toBe(80)
    expect([window.receive(50), window.receive(1)]).toEqual([true, false])
  })
})

describe('a budget', () => {
  it('allows a burst, and then a fixed rate', () => {
    const budget = new RateBudget(3, 10)
    expect(Array.from({ length: 5 }, () => budget.take(1_000))).toEqual([true, true, true, false, false])
    expect([budget.take(1_099), budget.take(1_100), budget.take(1_100)]).toEqual([false, true, false])
  })

  it('never exceeds its initial amount', () => {
    const budget = new RateBudget(2, 10)
    budget.give(100)
    expect(Array.from({ length: 3 }, () => budget.take(0))).toEqual([true, true, false])
    expect(Array.from({ length: 3 }, () => budget.take(1_000_000))).toEqual([true, true, false])
  })

  it('keeps the rate if it is asked often', () => {
    const budget = new RateBudget(2, 1)
    let taken = 0
    for (let now = 0; now <= 10_000; now += 10) if (budget.take(now)) taken += 1
    expect(taken).toBe(12)
  })

  it('can be given back what was taken', () => {
    const budget = new RateBudget(1, 0)
    expect([budget.take(0), budget.take(0)]).toEqual([true, false])
    budget.give(1)
    expect([budget.take(0), budget.take(0)]).toEqual([true, false])
  })
})

describe('the streams that have ended', () => {
  it('are remembered up to a fixed number', () => {
    const closed = new ClosedStreams()
    expect(closed.howEnded(1)).toBe(Closed.UNKNOWN)
    for (let id = 1; id < 2_000; id += 2) closed.add(id, id % 4 === 1 ? Closed.BY_PEER : Closed.BY_RESET)
    expect([closed.howEnded(1999), closed.howEnded(1997)]).toEqual([Closed.BY_RESET, Closed.BY_PEER])
    expect(closed.howEnded(1)).toBe(Closed.UNKNOWN)
    expect(closed.howEnded(2001)).toBe(Closed.UNKNOWN)
  })
})

describe('the time for which a value has been unchanged', () => {
  it('restarts when the value changes', () => {
    const unchanged = new Unchanged()
    expect([unchanged.for(1, 10), unchanged.for(1, 15), unchanged.for(2, 20), unchanged.for(2, 26)]).toEqual([
      0, 5, 0, 6,
    ])
  })
})

describe('the pace at which requests begin', () => {
  class Reader implements PacedReader {
    readonly name: string
    readonly #pacer: RequestPacer
    readonly #begun: string[]
    #waiting = 0

    constructor(name: string, pacer: RequestPacer, begun: string[]) {
      this.name = name
      this.#pacer = pacer
      this.#begun = begun
    }

    arrive(requests: number): void {
      this.#waiting = requests
      if (this.#pacer.mayRead(this)) this.resume()
    }

    resume(): void {
      while (this.#waiting > 0) {
        this.#waiting -= 1
        this.#begun.push(this.name)
        this.#pacer.began()
        if (this.#waiting > 0 && !this.#pacer.mayRead(this)) return
      }
    }
  }

  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('is a fixed number per turn, shared in rotation by the connections', async () => {
    const pacer = new RequestPacer(4)
    const begun: string[] = []
    const [many, few] = [new Reader('many', pacer, begun), new Reader('few', pacer, begun)]
    many.arrive(9)
    few.arrive(3)
    expect(begun.splice(0)).toEqual(['many', 'many', 'many', 'many'])
    await turn()
    expect(begun.splice(0)).toEqual(['many', 'few', 'many', 'few'])
    await turn()
    expect(begun.splice(0)).toEqual(['many', 'few', 'many', 'many'])
    await turn()
    expect(begun).toEqual([])
    many.arrive(1)
    expect(begun).toEqual(['many'])
  })

  it('skips a connection that has closed', async () => {
    const pacer = new RequestPacer(1)
    const begun: string[] = []
    const [first, second] = [new Reader('first', pacer, begun), new Reader('second', pacer, begun)]
    first.arrive(2)
    second.arrive(1)
    pacer.forget(first)
    await turn()
    expect(begun).toEqual(['first', 'second'])
  })
})
