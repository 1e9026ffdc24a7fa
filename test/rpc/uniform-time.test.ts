import { expect, it } from 'vitest'
import { inUniformTime } from '../../src/rpc/uniform-time.ts'

it('leaves the admission when the work is done, not when it answers', async () => {
  const left = Promise.withResolvers<void>()
  let isAnswered = false
  const ctx = { signal: new AbortController().signal, leaveAdmission: left.resolve }
  const answering = inUniformTime(ctx, () => Promise.resolve('done')).then((answer) => {
    isAnswered = true
    return answer
  })
  await left.promise
  expect(isAnswered).toBe(false)
  expect(await answering).toBe('done')
})

it('keeps the admission during the work', async () => {
  let hasLeft = false
  const ctx = {
    signal: new AbortController().signal,
    leaveAdmission: () => {
      hasLeft = true
    },
  }
  const wasIn = await inUniformTime(ctx, () => Promise.resolve(!hasLeft))
  expect(wasIn).toBe(true)
})
