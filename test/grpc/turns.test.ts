import { describe, expect, it } from 'vitest'
import { Turns } from '../../src/grpc/turns.ts'

const MANY = 100

const waits = () => false

/** Enters so many times; answers who was let in so far, in order. */
function crowd(turns: Turns, caller: string): number[] {
  const entered: number[] = []
  for (let n = 0; n < MANY; n += 1) {
    const turn = turns.enter(caller, waits)
    if (turn === null) entered.push(n)
    else void turn.then(() => entered.push(n))
  }
  return entered
}

/** As many as run at once. */
function fill(turns: Turns, caller: string): void {
  while (turns.enter(caller, waits) === null);
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
    expect(turns.enter('other', waits)).toBeNull()
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
    const gone = turns.enter('busy', () => true)
    const next = turns.enter('busy', waits)
    turns.leave('busy')
    expect(await Promise.all([gone, next])).toEqual([false, true])
  })

  it('keep few of those that left the line, also while nobody gets his turn', async () => {
    const turns = new Turns(() => 0)
    fill(turns, 'busy')
    let forgotten = 0
    for (let n = 0; n < 20_000; n += 1) {
      void turns
        .enter('busy', () => true)
        ?.then((isIn) => {
          if (!isIn) forgotten += 1
        })
    }
    await settled()
    expect(forgotten).toBeGreaterThan(18_000)
  })

  it('look through a long line seldom, however many of it still wait', () => {
    const turns = new Turns(() => 0)
    fill(turns, 'busy')
    const calls = 20_000
    let looks = 0
    for (let n = 0; n < calls; n += 1) {
      turns.enter('busy', () => {
        looks += 1
        return false
      })
    }
    expect(looks).toBeLessThan(2 * calls)
  })
})
