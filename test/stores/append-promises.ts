import { beforeAll, expect, test } from 'vitest'
import { clientId } from '../../src/domain/ids.ts'
import { StoreError } from '../../src/stores/contract/errors.ts'
import { openBackend } from '../../src/stores/open.ts'
import { eventsInIntactChains } from './chains-intact.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  anEvent,
  aToken,
  context,
  contextWithoutSignal,
  inTransaction,
  mint,
  mintAudited,
  options,
  ownTransaction,
  register,
} from './given.ts'

export function appendPromises(subject: () => Subject): void {
  const stored = async (token: ReturnType<typeof aToken>) =>
    (await subject().backend.reads.accessTokens.findById(context(), token.tokenId)) !== null
  beforeAll(() => register(subject().backend, aClient('appender')))

  test('commits the units of 500 concurrent calls, each with its event', async () => {
    const tokens = Array.from({ length: 500 }, () => aToken('appender'))
    const events = tokens.map((token) => anEvent({ tokenId: token.tokenId }))
    await Promise.all(
      tokens.map((token, n) =>
        subject().backend.append(context(), (stores) => {
          void stores.accessTokens.insert(token)
          void stores.auditLog.append(events[n] ?? anEvent())
        }),
      ),
    )
    expect(await Promise.all(tokens.map(stored))).not.toContain(false)
    const found = await Promise.all(
      events.map((event) => subject().backend.reads.auditLog.find(context(), event.eventId)),
    )
    expect(found).not.toContain(null)
  })

  test('fails all writes of a unit that the database refuses, and no other unit', async () => {
    const { backend } = subject()
    const taken = aToken('appender')
    await mint(backend, taken)
    const neighbours = Array.from({ length: 20 }, () => aToken('appender'))
    const companion = aToken('appender')
    const event = anEvent()
    const offender = backend.append(context(), (stores) => {
      void stores.auditLog.append(event)
      void stores.accessTokens.insert(companion)
      void stores.accessTokens.insert(aToken('appender', { hash: taken.hash }))
    })
    const homeless = backend.append(context(), (stores) => void stores.accessTokens.insert(aToken('no-such-client')))
    const outcome = await Promise.allSettled([mint(backend, ...neighbours), offender, homeless])
    expect(outcome.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    await expect(offender).rejects.toBeInstanceOf(StoreError)
    expect(await Promise.all(neighbours.map(stored))).not.toContain(false)
    expect(await stored(companion)).toBe(false)
    expect(await backend.reads.auditLog.find(context(), event.eventId)).toBeNull()
  })

  test('fails only the refused calls among calls of many turns of the event loop', async () => {
    const { backend } = subject()
    const taken = aToken('appender')
    await mintAudited(backend, taken)
    const events = await eventsInIntactChains(backend)
    const turns = Array.from({ length: 40 }, (_, turn) =>
      turn % 10 === 5 ? aToken('appender', { hash: taken.hash }) : aToken('appender'),
    )
    const minting: Promise<boolean>[] = []
    for (const token of turns) {
      minting.push(
        mintAudited(backend, token).then(
          () => true,
          () => false,
        ),
      )
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await Promise.all(minting)).toEqual(turns.map(({ hash }) => hash !== taken.hash))
    expect(await Promise.all(turns.map(stored))).toEqual(turns.map(({ hash }) => hash !== taken.hash))
    expect(await eventsInIntactChains(backend)).toBe(events + 36)
  })

  test('fills a unit synchronously, and writes nothing if that throws', async () => {
    const { backend } = subject()
    let filled = false
    const token = aToken('appender')
    const failing = backend.append(context(), (stores) => {
      filled = true
      void stores.accessTokens.insert(token)
      throw new Error('changed its mind')
    })
    expect(filled).toBe(true)
    await expect(failing).rejects.toThrow('changed its mind')
    expect(await stored(token)).toBe(false)
  })

  test('removes a cancelled call from the queue, and rejects it with its reason', async () => {
    const { backend } = subject()
    const cancel = new AbortController()
    const waiting = aToken('appender')
    let cancelled: Promise<void> = Promise.resolve()
    let first: Promise<void> = Promise.resolve()
    await inTransaction(backend, async () => {
      // A first batch is sent; with a single writer, it waits for this transaction.
      first = mint(backend, aToken('appender'))
      await new Promise((resolve) => setImmediate(resolve))
      cancelled = backend.append(
        context({ signal: cancel.signal }),
        (stores) => void stores.accessTokens.insert(waiting),
      )
      cancelled.catch(() => undefined)
      cancel.abort(new Error('the caller left'))
    })
    await first
    await expect(cancelled).rejects.toThrow('the caller left')
    await mint(backend, aToken('appender'))
    expect(await stored(waiting)).toBe(false)
  })

  test('does not read the signal of a call that does not wait', async () => {
    await subject().backend.append(contextWithoutSignal(), (stores) => void stores.auditLog.append(anEvent()))
  })

  test('refuses calls beyond the limit of the queue', async () => {
    const backend = await openBackend(subject().database.url, { ...options, maxQueuedCalls: 10 })
    const outcome = await Promise.allSettled(
      Array.from({ length: 40 }, () =>
        backend.append(context(), (stores) => void stores.accessTokens.insert(aToken('appender'))),
      ),
    )
    expect(outcome.filter((one) => one.status === 'fulfilled')).toHaveLength(10)
    const refused = outcome.filter((one) => one.status === 'rejected').map((one) => one.reason)
    expect(refused.every((error) => error instanceof StoreError && error.fault === 'unavailable')).toBe(true)
    await backend.close()
  })

  test('writes the queued calls before it closes, and refuses later calls', async () => {
    const backend = await openBackend(subject().database.url, options)
    const tokens = Array.from({ length: 30 }, () => aToken('appender'))
    const minted = mint(backend, ...tokens)
    await backend.close()
    await minted
    expect(await Promise.all(tokens.map(stored))).not.toContain(false)
    await expect(mint(backend, aToken('appender'))).rejects.toMatchObject({ fault: 'unavailable' })
    await expect(
      ownTransaction(backend, context(), async (stores) => ({
        commit: false,
        value: await stores.clients.find(context(), clientId('appender')),
      })),
    ).rejects.toMatchObject({ fault: 'unavailable' })
  })
}
