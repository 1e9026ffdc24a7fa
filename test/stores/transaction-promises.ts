import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { clientId, epochMs } from '../../src/domain/ids.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  anEvent,
  aSecret,
  aToken,
  change,
  context,
  inTransaction,
  mint,
  ownTransaction,
  register,
} from './given.ts'

export function transactionPromises(subject: () => Subject): void {
  beforeAll(() => register(subject().backend, aClient('x-one'), aClient('x-two')))
  const find = (id: string) => subject().backend.reads.clients.find(context(), clientId(id))

  test('reads its own writes, which are not visible to others before the commit', async () => {
    const { backend } = subject()
    await inTransaction(backend, async (stores) => {
      const secret = aSecret('x-one')
      const token = aToken('x-one')
      await stores.clients.insert(aClient('x-new'), change)
      await stores.clientSecrets.insert(secret)
      await stores.accessTokens.insert(token)
      expect((await stores.clients.find(context(), clientId('x-new')))?.version).toBe(1)
      expect(await stores.clientSecrets.ofClient(context(), clientId('x-one'))).toEqual([secret])
      expect((await stores.accessTokens.findByHash(context(), token.hash))?.token).toEqual(token)
      expect(await find('x-new')).toBeNull()
    })
    expect(await find('x-new')).not.toBeNull()
  })

  test('stores nothing when it is rolled back by its result or by an error', async () => {
    const { backend } = subject()
    const events = [anEvent(), anEvent()]
    const write = async (stores: Parameters<Parameters<typeof inTransaction>[1]>[0], n: number) => {
      await stores.clients.insert(aClient(`x-rolled-${n}`), change)
      await stores.auditLog.append(events[n] ?? anEvent())
    }
    const answer = await ownTransaction(backend, context(), async (stores) => {
      await write(stores, 0)
      return { commit: false, value: 'no' }
    })
    expect(answer).toBe('no')
    await expect(
      ownTransaction(backend, context(), async (stores) => {
        await write(stores, 1)
        throw new Error('an accident')
      }),
    ).rejects.toThrow('an accident')
    expect([await find('x-rolled-0'), await find('x-rolled-1')]).toEqual([null, null])
    for (const event of events) expect(await backend.reads.auditLog.find(context(), event.eventId)).toBeNull()
  })

  test('is never committed after a failed statement, even if that was swallowed', async () => {
    const { backend } = subject()
    const token = aToken('x-one')
    const swallowing = ownTransaction(backend, context(), async (stores) => {
      await stores.accessTokens.insert(token)
      await Promise.resolve(stores.accessTokens.insert(token)).catch(() => undefined)
      return { commit: true, value: null }
    })
    await expect(swallowing).rejects.toMatchObject({ name: 'StoreError' })
    expect(await backend.reads.accessTokens.findById(context(), token.tokenId)).toBeNull()
  })

  test('is repeated after a deadlock, until both transactions have succeeded', async () => {
    const { backend } = subject()
    const [one, two] = [clientId('x-one'), clientId('x-two')]
    const before = [(await find('x-one'))?.tokenGeneration ?? 0, (await find('x-two'))?.tokenGeneration ?? 0]
    // PostgreSQL checks for deadlocks after a second, and the loser of one may lose the next.
    const patient = context({ deadline: epochMs(Date.now() + 60_000) })
    const crossing = (first: typeof one, second: typeof one) =>
      ownTransaction(backend, patient, async (stores) => {
        await stores.clients.startTokenGeneration(first, change)
        await sleep(20)
        await stores.clients.startTokenGeneration(second, change)
        return { commit: true, value: null }
      })
    await Promise.all(Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? crossing(one, two) : crossing(two, one))))
    const after = [(await find('x-one'))?.tokenGeneration, (await find('x-two'))?.tokenGeneration]
    expect(after).toEqual(before.map((generation) => generation + 6))
  })

  test('runs concurrently with mints, and neither starves the other', async () => {
    const { backend } = subject()
    const tokens = Array.from({ length: 200 }, () => aToken('x-one', { clientGeneration: 1 }))
    await Promise.all([
      ...tokens.map(async (token, n) => {
        await sleep(n % 20)
        await mint(backend, token)
      }),
      ...Array.from({ length: 40 }, (_, n) => register(backend, aClient(`x-beside-${n}`))),
    ])
    expect(await find('x-beside-39')).not.toBeNull()
  })

  test('releases the place of a cancelled call in the queue', async () => {
    const { backend } = subject()
    const cancel = new AbortController()
    const holding = Array.from({ length: 20 }, () =>
      inTransaction(backend, async () => {
        await sleep(10)
      }),
    )
    const waiting = ownTransaction(backend, context({ signal: cancel.signal }), async () => ({
      commit: true,
      value: 1,
    }))
    cancel.abort(new Error('the caller left'))
    await expect(waiting).rejects.toThrow('the caller left')
    await Promise.all(holding)
  })

  test('leaves the backend serving', async () => {
    expect(await subject().backend.check()).toEqual({ serving: true })
  })
}
