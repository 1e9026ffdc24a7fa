import { expect, test } from 'vitest'
import { BatchScheduler } from '../src/batching.ts'

/** Notes what happens, until the turn after the next is over. */
async function told(
  happen: (scheduler: BatchScheduler, note: (what: string) => void) => void,
): Promise<readonly string[]> {
  const notes: string[] = []
  happen(new BatchScheduler(), (what) => notes.push(what))
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  return notes
}

test('what arrives in one turn begins together, in its order, and what it asks is sent once all have asked', async () => {
  const notes = await told((scheduler, note) => {
    for (const call of ['first', 'second']) {
      scheduler.startTogether({
        begin: () => {
          note(`${call} asks`)
          scheduler.schedule(() => note(`${call} is sent`))
        },
      })
    }
    note('read')
    setImmediate(() => note('next turn'))
  })
  expect(notes).toEqual(['read', 'first asks', 'second asks', 'first is sent', 'second is sent', 'next turn'])
})

test('what callers ask when they go on with an answer is sent before anybody else is heard', async () => {
  const notes = await told((scheduler, note) => {
    setImmediate(async () => {
      await null
      scheduler.callersResume()
      for (const caller of ['first', 'second']) {
        void Promise.resolve().then(() => {
          note(`${caller} asks`)
          scheduler.schedule(() => note(`${caller} is sent`))
        })
      }
    })
    setImmediate(() => note('next caller'))
  })
  expect(notes).toEqual(['first asks', 'second asks', 'first is sent', 'second is sent', 'next caller'])
})

test('what is asked by itself waits for the rest of its turn', async () => {
  const notes = await told((scheduler, note) => {
    scheduler.schedule(() => note('sent'))
    process.nextTick(() => note('another asks'))
  })
  expect(notes).toEqual(['another asks', 'sent'])
})
