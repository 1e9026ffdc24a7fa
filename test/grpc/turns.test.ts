import { describe, expect, it } from 'vitest'
import { Turns } from '../../src/grpc/turns.ts'

const MANY = 100

const waits = () => false

/** Enters so many times; answers who was let in so far, in order. */
function crowd(turns: Turns, caller: string): number[] {
  const entered: number[] = []
  for (let n = 0; n < MANY; n += 1) {
    const turn = turns.enter(caller, 0, waits)
    if (turn === 'in') entered.push(n)
    else if (turn === 'full') throw new Error('no room')
    else void turn.then(() => entered.push(n))
  }
  return entered
}

/** As many as run at once. */
function fill(turns: Turns, caller: string): void {
  while (turns.enter(caller, 0, waits) === 'in');
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('let a caller run some calls, and the next one whenever one ends, in order', async () => {
    const turns = new Turns(() => 0)
    const entered = crowd(turns, 'busy')
    const atOnce = entered.length
    expect(atOnce).toBeLessThan(MANY)
    for (let ended = 1; ended <= MANY; ended += 1) {
      turns.leave('busy')
      await settled()
      expect(entered).toHaveLength(Math.min(MANY, atOnce + ended))
    }
    expect(entered).toEqual(Array.from({ length: MANY }, (_, n) => n))
  })

  it('let another in at once, and then fewer of the first, for as long as the other calls', async () => {
    let now = 1
    const turns = new Turns(() => now)
    const entered = crowd(turns, 'busy')
    const alone = entered.length
    expect(turns.enter('other', 0, waits)).toBe('in')
    turns.leave('other')
    const running = () => entered.length - ended
    let ended = 0
    const end = async () => {
      ended += 1
      turns.leave('busy')
      await settled()
    }
    while (ended < alone) await end()
    const beside = running()
    expect(beside).toBeGreaterThan(0)
    expect(beside).toBeLessThan(alone)
    now += 10_000
    await end()
    expect(running()).toBe(alone)
  })

  it('pass over who left the line', async () => {
    const turns = new Turns(() => 0)
    fill(turns, 'busy')
    turns.leave('busy')
    const gone = turns.enter('busy', 0, () => true)
    const next = turns.enter('busy', 0, waits)
    turns.leave('busy')
    expect(await Promise.all([gone, next])).toEqual(['gone', 'in'])
  })

  it('keep few of those that left the line, also while nobody gets a turn', async () => {
    const turns = new Turns(() => 0)
    fill(turns, 'busy')
    let forgotten = 0
    for (let n = 0; n < 20_000; n += 1) {
      void Promise.resolve(turns.enter('busy', 0, () => true)).then((turn) => {
        if (turn === 'gone') forgotten += 1
      })
    }
    await settled()
    expect(forgotten).toBeGreaterThan(18_000)
  })

  it('look through a long line seldom, however many of it still wait', () => {
    const turns = new Turns(() => 0)
    fill(turns, 'busy')
    const calls = 16_000
    let looks = 0
    for (let n = 0; n < calls; n += 1) {
      void turns.enter('busy', 0, () => {
        looks += 1
        return false
      })
    }
    expect(looks).toBeLessThan(2 * calls)
  })

  it('have no room for more than fits into memory: less for one caller than for all', () => {
    const turns = new Turns(() => 0)
    const megabyte = 1024 * 1024
    const waitUntilFull = (caller: string) => {
      fill(turns, caller)
      let waiting = 0
      while (turns.enter(caller, megabyte, waits) !== 'full') waiting += 1
      return waiting
    }
    const [first, second, third] = [waitUntilFull('first'), waitUntilFull('second'), waitUntilFull('third')]
    expect(first).toBeGreaterThan(32)
    expect(first).toBeLessThan(100)
    expect(first + second + third).toBeLessThan(200)
    expect(turns.enter('first', 1, waits)).toBeInstanceOf(Promise)
    expect(turns.enter('fourth', megabyte, waits)).toBe('in')
    for (let ended = 0; ended < 32; ended += 1) turns.leave('first')
    expect(turns.enter('first', megabyte, waits)).toBeInstanceOf(Promise)
  })
})
