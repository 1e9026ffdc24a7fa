import { expect, test } from 'vitest'
import { MicroBatcher } from '../src/batching.ts'

/** A batcher whose batches are answered by hand. */
function started({ maxBatchSize = 10, maxWaiting = 10 } = {}) {
  const sent: { readonly items: readonly number[]; readonly answer: () => void; readonly fail: () => void }[] = []
  const batcher = new MicroBatcher<number, string>({
    send: (items) => {
      const { promise, resolve, reject } = Promise.withResolvers<(item: number) => string>()
      sent.push({ items, answer: () => resolve((item) => `answer ${item}`), fail: () => reject(new Error('no')) })
      return promise
    },
    schedule: setImmediate,
    maxBatchSize,
    maxWaiting,
  })
  return { batcher, sent, batches: () => sent.map(({ items }) => items) }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('sends what is added in one turn together, and answers each item', async () => {
  const { batcher, sent, batches } = started()
  const answers = Promise.all([batcher.add(1), batcher.add(2)])
  expect(batches()).toEqual([])
  expect(batcher.waiting).toBe(2)
  await nextTurn()
  expect(batches()).toEqual([[1, 2]])
  expect(batcher.waiting).toBe(0)
  sent[0]?.answer()
  expect(await answers).toEqual(['answer 1', 'answer 2'])
})

test('has one batch under way, and sends what arrives meanwhile when it is back', async () => {
  const { batcher, sent, batches } = started()
  const first = batcher.add(1)
  await nextTurn()
  const others = Promise.all([batcher.add(2), batcher.add(3)])
  await nextTurn()
  expect(batches()).toEqual([[1]])
  sent[0]?.answer()
  await first
  await nextTurn()
  expect(batches()).toEqual([[1], [2, 3]])
  sent[1]?.answer()
  expect(await others).toEqual(['answer 2', 'answer 3'])
})

test('leaves to the next batch what is too much for one', async () => {
  const { batcher, sent, batches } = started({ maxBatchSize: 2 })
  const answers = Promise.all([1, 2, 3].map((item) => batcher.add(item)))
  await nextTurn()
  expect(batches()).toEqual([[1, 2]])
  sent[0]?.answer()
  await nextTurn()
  expect(batches()).toEqual([[1, 2], [3]])
  sent[1]?.answer()
  expect(await answers).toEqual(['answer 1', 'answer 2', 'answer 3'])
})

test('takes no more than may wait', async () => {
  const { batcher, sent } = started({ maxWaiting: 1 })
  const first = batcher.add(1)
  expect(batcher.add(2)).toBeNull()
  await nextTurn()
  const second = batcher.add(2)
  expect(second).not.toBeNull()
  sent[0]?.answer()
  await first
  await nextTurn()
  sent[1]?.answer()
  expect(await second).toBe('answer 2')
})

test('fails every item of a batch that fails, and goes on with the next', async () => {
  const { batcher, sent } = started()
  const failed = Promise.allSettled([batcher.add(1), batcher.add(2)])
  await nextTurn()
  sent[0]?.fail()
  expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const next = batcher.add(3)
  await nextTurn()
  sent[1]?.answer()
  expect(await next).toBe('answer 3')
})
