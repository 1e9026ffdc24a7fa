import { expect, test } from 'vitest'
import { callersResume, scheduleBatch, startTogether } from '../src/batch-scheduler.ts'

/** Notes what happens, until the turn after the next is over. */
async function told(happen: (note: (what: string) => void) => void): Promise<readonly string[]> {
  const notes: string[] = []
  happen((what) => notes.push(what))
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  return notes
}

test('what arrives in one turn begins together, in its order, and what it asks is sent once all have asked', async () => {
  const notes = await told((note) => {
    for (const call of ['first', 'second']) {
      startTogether(() => {
        note(`${call} asks`)
        scheduleBatch(() => note(`${call} is sent`))
      })
    }
    note('read')
    setImmediate(() => note('next turn'))
  })
  expect(notes).toEqual(['read', 'first asks', 'second asks', 'first is sent', 'second is sent', 'next turn'])
})

test('what callers ask when they go on with an answer is sent before anybody else is heard', async () => {
  const notes = await told((note) => {
    setImmediate(async () => {
      await null
      callersResume()
      for (const caller of ['first', 'second']) {
        void Promise.resolve().then(() => {
          note(`${caller} asks`)
          scheduleBatch(() => note(`${caller} is sent`))
        })
      }
    })
    setImmediate(() => note('next caller'))
  })
  expect(notes).toEqual(['first asks', 'second asks', 'first is sent', 'second is sent', 'next caller'])
})

test('what is asked by itself waits for the rest of its turn', async () => {
  const notes = await told((note) => {
    scheduleBatch(() => note('sent'))
    process.nextTick(() => note('another asks'))
  })
  expect(notes).toEqual(['another asks', 'sent'])
})
