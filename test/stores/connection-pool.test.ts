import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { epochMs } from '../../src/domain/ids.ts'
import { ConnectionPool } from '../../src/stores/sql/engine/connection-pool.ts'

it('removes its listeners from a long-lived signal when waiting calls give up', async () => {
  const pool = new ConnectionPool(['only'], 10)
  const { signal } = new AbortController()
  const held = Promise.withResolvers<void>()
  const holder = pool.use(null, () => held.promise)
  const impatient = () => pool.use({ signal, deadline: epochMs(Date.now()) }, async () => 'had it')
  const waiting = Promise.allSettled([impatient(), impatient(), impatient()])
  expect(getEventListeners(signal, 'abort')).toHaveLength(3)
  expect(new Set((await waiting).map(({ status }) => status))).toEqual(new Set(['rejected']))
  expect(getEventListeners(signal, 'abort')).toEqual([])
  expect(pool.load).toEqual({ size: 1, used: 1, waiting: 0 })
  held.resolve()
  await holder
})
