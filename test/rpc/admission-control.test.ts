import { describe, expect, it } from 'vitest'
import { AdmissionControl, type CallCost } from '../../src/rpc/admission-control.ts'

const MANY = 100

const SMALL = { bytes: 0, items: 0 }

const waits = () => false

/** Turns, by the callers' names: at an address each, and proven unless told otherwise. */
function turnsBy(now: () => number) {
  const turns = new AdmissionControl(now)
  const lineOf = (caller: string) => turns.queueOf(caller, `address of ${caller}`)
  return {
    turns,
    /** As a call does that shows who it is. */
    prove: (caller: string) => turns.proved(caller, lineOf(caller)),
    enter(caller: string, size: CallCost, isAbandoned: () => boolean) {
      if (!lineOf(caller).isProven) turns.proved(caller, lineOf(caller))
      return turns.admit(lineOf(caller), size, isAbandoned)
    },
    leave: (caller: string, size: CallCost) => turns.release(lineOf(caller), size),
  }
}

type TurnsBy = ReturnType<typeof turnsBy>

/** Enters so many times; answers who was let in so far, in order. */
function crowd(turns: Pick<TurnsBy, 'enter'>, caller: string): number[] {
  const entered: number[] = []
  for (let n = 0; n < MANY; n += 1) {
    const turn = turns.enter(caller, SMALL, waits)
    if (turn === 'admitted') entered.push(n)
    else if (turn === 'full') throw new Error('no room')
    else void turn.then(() => entered.push(n))
  }
  return entered
}

/** As many as run at once. */
function fill(turns: TurnsBy, caller: string): void {
  while (turns.enter(caller, SMALL, waits) === 'admitted');
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('let a caller run some calls, and the next one when one ends, in order', async () => {
    const turns = turnsBy(() => 0)
    const entered = crowd(turns, 'busy')
    const atOnce = entered.length
    expect(atOnce).toBeLessThan(MANY)
    for (let ended = 1; ended <= MANY; ended += 1) {
      turns.leave('busy', SMALL)
      await settled()
      expect(entered).toHaveLength(Math.min(MANY, atOnce + ended))
    }
    expect(entered).toEqual(Array.from({ length: MANY }, (_, n) => n))
  })

  it('admit another caller at once, and then fewer calls of the first while the other one calls', async () => {
    let now = 1
    const turns = turnsBy(() => now)
    const entered = crowd(turns, 'busy')
    const alone = entered.length
    turns.prove('busy')
    expect(turns.enter('other', SMALL, waits)).toBe('admitted')
    turns.prove('other')
    turns.leave('other', SMALL)
    const running = () => entered.length - ended
    let ended = 0
    const end = async () => {
      ended += 1
      turns.leave('busy', SMALL)
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

  it('let few large batches run at once, and the largest one alone', async () => {
    const turns = turnsBy(() => 0)
    const hundred = { bytes: 0, items: 100 }
    const atOnce = crowd(turns, 'single').length
    let large = 0
    while (turns.enter('large', hundred, waits) === 'admitted') large += 1
    expect(large).toBeGreaterThan(0)
    expect(large).toBeLessThan(atOnce / 4)

    const endless = { bytes: 0, items: 1_000_000 }
    expect(turns.enter('larger', endless, waits)).toBe('admitted')
    const next = turns.enter('larger', endless, waits)
    const after = turns.enter('larger', SMALL, waits)
    expect(after).toBeInstanceOf(Promise)
    turns.leave('larger', endless)
    expect(await next).toBe('admitted')
    turns.leave('larger', endless)
    expect(await after).toBe('admitted')
  })

  it('skip calls that left the queue', async () => {
    const turns = turnsBy(() => 0)
    fill(turns, 'busy')
    turns.leave('busy', SMALL)
    const gone = turns.enter('busy', SMALL, () => true)
    const next = turns.enter('busy', SMALL, waits)
    turns.leave('busy', SMALL)
    expect(await Promise.all([gone, next])).toEqual(['abandoned', 'admitted'])
  })

  it('keep few calls that left the queue, even while none is admitted', async () => {
    const turns = turnsBy(() => 0)
    fill(turns, 'busy')
    let forgotten = 0
    for (let n = 0; n < 20_000; n += 1) {
      void Promise.resolve(turns.enter('busy', SMALL, () => true)).then((turn) => {
        if (turn === 'abandoned') forgotten += 1
      })
    }
    await settled()
    expect(forgotten).toBeGreaterThan(18_000)
  })

  it('scan a long queue rarely, however many calls still wait', () => {
    const turns = turnsBy(() => 0)
    fill(turns, 'busy')
    const calls = 16_000
    let looks = 0
    for (let n = 0; n < calls; n += 1) {
      void turns.enter('busy', SMALL, () => {
        looks += 1
        return false
      })
    }
    expect(looks).toBeLessThan(2 * calls)
  })

  it('limit the memory of waiting calls: less for one caller than for all', () => {
    const turns = turnsBy(() => 0)
    const megabyte = { bytes: 1024 * 1024, items: 0 }
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
    expect(turns.enter('first', { bytes: 1, items: 0 }, waits)).toBeInstanceOf(Promise)
    expect(turns.enter('fourth', megabyte, waits)).toBe('admitted')
    for (let ended = 0; ended < 32; ended += 1) turns.leave('first', SMALL)
    expect(turns.enter('first', megabyte, waits)).toBeInstanceOf(Promise)
  })

  it('do not let an unauthenticated caller delay others', async () => {
    const turns = turnsBy(() => 0)
    const entered = crowd(turns, 'busy')
    const atOnce = entered.length
    turns.prove('busy')
    for (let n = 0; n < MANY; n += 1) {
      const stranger = turns.turns.queueOf(`made up ${n}`, `address ${n % 10}`)
      turns.turns.admit(stranger, SMALL, waits)
      turns.leave('busy', SMALL)
      await settled()
      turns.prove('busy')
      expect(entered).toHaveLength(Math.min(MANY, atOnce + n + 1))
    }
  })

  it('are few for all unauthenticated callers of an address together, while others call', () => {
    let now = 1
    const { turns, prove } = turnsBy(() => now)
    const enter = (caller: string, address: string) => turns.admit(turns.queueOf(caller, address), SMALL, waits)
    const entered = (address: string) =>
      Array.from({ length: MANY }, (_, n) => enter(`made up ${n}`, address)).filter((turn) => turn === 'admitted')
        .length
    prove('honest')
    const here = entered('here')
    expect(here).toBeLessThan(10)
    expect(entered('there')).toBe(here)
    now += 10_000
    const alone = turnsBy(() => now).turns
    const before = Array.from({ length: MANY }, (_, n) =>
      alone.admit(alone.queueOf(`made up ${n}`, 'here'), SMALL, waits),
    )
    expect(before.filter((turn) => turn === 'admitted').length).toBeGreaterThan(here)
  })

  it('use a separate queue for authenticated callers', () => {
    const { turns } = turnsBy(() => 0)
    const honest = turns.queueOf('honest', 'here')
    expect(turns.admit(honest, SMALL, waits)).toBe('admitted')
    turns.proved('honest', honest)
    turns.release(honest, SMALL)
    for (let n = 0; n < MANY; n += 1) void turns.admit(turns.queueOf(`made up ${n}`, 'here'), SMALL, waits)
    expect(turns.admit(turns.queueOf('honest', 'here'), SMALL, waits)).toBe('admitted')
  })
})
