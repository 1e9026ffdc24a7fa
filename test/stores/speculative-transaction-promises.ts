import { beforeAll, expect, test } from 'vitest'
import { randomBytes } from '../../src/crypto/random.ts'
import { clientId, epochMs } from '../../src/domain/ids.ts'
import type { TransactionStores } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import { eventsInIntactChains } from './chains-intact.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aGrant,
  anEvent,
  aRefreshToken,
  aToken,
  aUser,
  change,
  consent,
  context,
  enroll,
  inTransaction,
  mint,
  NOW,
  options,
  register,
} from './given.ts'

export function speculativeTransactionPromises(subject: () => Subject): void {
  beforeAll(() => register(subject().backend, aClient('decider')))
  const backend = () => subject().backend
  const storedToken = (token: ReturnType<typeof aToken>) =>
    backend().reads.accessTokens.findById(context(), token.tokenId)
  const transact = <T>(work: (stores: TransactionStores) => Promise<T>) =>
    backend().transaction(context(), async (stores) => ({ commit: true, value: await work(stores) }))

  test('have one winner of 40, and store only the writes of the winner', async () => {
    const token = aToken('decider')
    await mint(backend(), token)
    const events = Array.from({ length: 40 }, () => anEvent())
    const won = await Promise.all(
      events.map((event) =>
        transact(async (stores) => {
          const first = await stores.accessTokens.revoke(token, 'test', change)
          if (first) await stores.auditLog.append(event)
          return first
        }),
      ),
    )
    expect(won.filter(Boolean)).toHaveLength(1)
    const logged = await Promise.all(
      events.map(async ({ eventId }) => (await backend().reads.auditLog.find(context(), eventId)) !== null),
    )
    expect(logged).toEqual(won)
  })

  test('have separate results, also if others in the same commit fail', async () => {
    const taken = aUser()
    await transact((stores) => stores.users.insert(taken))
    const tokens = Array.from({ length: 30 }, () => aToken('decider'))
    const orphan = aToken('no-such-client')
    const [results, names, refused] = await Promise.all([
      Promise.all(tokens.map((token) => transact((stores) => Promise.resolve(stores.accessTokens.insert(token))))),
      Promise.all(
        [aUser({ externalId: taken.externalId }), aUser()].map((user) =>
          backend().transaction(context(), async (stores) => {
            const fresh = await stores.users.insert(user)
            return { commit: fresh, value: fresh }
          }),
        ),
      ),
      transact((stores) => Promise.resolve(stores.accessTokens.insert(orphan))).catch((error: unknown) => error),
    ])
    expect(results).toHaveLength(30)
    expect(names).toEqual([false, true])
    expect(refused).toMatchObject({ name: 'StoreError', fault: 'broken' })
    expect(await Promise.all(tokens.map(async (token) => (await storedToken(token)) !== null))).not.toContain(false)
    expect(await storedToken(orphan)).toBeNull()
  })

  test('fail only if they lose, among others of many turns of the event loop, and keep the chains of the log intact', async () => {
    const taken = aUser()
    await transact((stores) => stores.users.insert(taken))
    const before = await eventsInIntactChains(backend())
    // Each tenth uses an external id that is taken.
    const isLost = (turn: number) => turn % 10 === 3
    const deciding: Promise<boolean>[] = []
    for (let turn = 0; turn < 40; turn += 1) {
      const user = isLost(turn) ? aUser({ externalId: taken.externalId }) : aUser()
      deciding.push(
        backend().transaction(context(), async (stores) => {
          const fresh = await stores.users.insert(user)
          if (fresh) await stores.auditLog.append(anEvent())
          return { commit: fresh, value: fresh }
        }),
      )
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await Promise.all(deciding)).toEqual(deciding.map((_, turn) => !isLost(turn)))
    expect(await eventsInIntactChains(backend())).toBe(before + 36)
  })

  /** Families with one grant each, whose second refresh token is spent next. */
  async function families(count: number) {
    const user = await enroll(backend(), aUser())
    const all = Array.from({ length: count }, (_, at) => {
      const grant = aGrant('decider', user)
      const predecessor = aRefreshToken(grant, {
        consumedAt: epochMs(NOW - 1),
        replay: { answer: randomBytes(100), until: epochMs(NOW + 1_000) },
      })
      const spent = aRefreshToken(grant, { predecessorId: predecessor.tokenId })
      const next = aRefreshToken(grant, { predecessorId: spent.tokenId })
      const replay = at % 3 === 0 ? null : { answer: randomBytes(1 + at), until: epochMs(NOW + at) }
      return { grant, predecessor, spent, next, token: aToken('decider'), replay, at: epochMs(NOW + 100 + at) }
    })
    await consent(backend(), ...all.map(({ grant }) => grant))
    await inTransaction(backend(), async (stores) => {
      for (const { predecessor, spent } of all) {
        await stores.refreshTokens.insert(predecessor)
        await stores.refreshTokens.insert(spent)
      }
    })
    return all
  }

  type Family = Awaited<ReturnType<typeof families>>[number]

  /** Every fifth is like the first refresh of a family, without an answer to erase. */
  function rotate({ grant, predecessor, spent, next, token, replay, at }: Family): Promise<boolean> {
    return backend().transaction(context(), async (stores) => {
      const isOurs =
        (await stores.grants.lock(grant.grantId, epochMs(grant.tokensUntil + at - NOW))) &&
        (await stores.refreshTokens.consume(spent.tokenId, at, { successorId: next.tokenId, replay }))
      if (!isOurs) return { commit: false, value: false }
      if (at % 5 !== 0) await stores.refreshTokens.eraseReplay(predecessor.tokenId)
      await stores.accessTokens.insert(token)
      await stores.refreshTokens.insert(next)
      await stores.auditLog.append(anEvent())
      return { commit: true, value: true }
    })
  }

  async function expectRotated({ grant, predecessor, spent, next, token, replay, at }: Family) {
    const found = async ({ tokenId }: typeof spent) => await backend().reads.refreshTokens.findById(context(), tokenId)
    const stored = await found(spent)
    expect(stored?.token).toEqual({ ...spent, consumedAt: at, successorId: next.tokenId, replay })
    expect(stored?.grant.tokensUntil).toBe(grant.tokensUntil + at - NOW)
    expect((await found(predecessor))?.token.replay).toEqual(at % 5 === 0 ? predecessor.replay : null)
    expect((await found(next))?.token).toEqual(next)
    expect((await storedToken(token))?.token).toEqual(token)
  }

  test('give each row its own values when many of one kind share a commit', async () => {
    const all = await families(45)
    expect(await Promise.all(all.map(rotate))).not.toContain(false)
    for (const family of all) await expectRotated(family)
  })

  test('give each row its own values when others of the same kind lose', async () => {
    const [revoked, raced, ...others] = await families(25)
    if (revoked === undefined || raced === undefined) throw new Error('there are families')
    const gone = { grantId: revoked.grant.grantId, expiresAt: revoked.grant.expiresAt }
    expect(await transact((stores) => stores.grants.revoke(gone, 'test', change))).toBe(true)
    const twin = { ...raced, next: aRefreshToken(raced.grant), token: aToken('decider') }
    const all = [revoked, ...others, raced, twin]
    const rotated = await Promise.all(all.map(rotate))
    expect(rotated.slice(0, -2)).toEqual([false, ...others.map(() => true)])
    expect(rotated.slice(-2).filter(Boolean)).toHaveLength(1)
    for (const [at, family] of all.entries()) if (rotated[at] === true) await expectRotated(family)
    expect((await backend().reads.refreshTokens.findById(context(), revoked.spent.tokenId))?.token).toEqual(
      revoked.spent,
    )
  })

  test('can share a commit, also with long ones and those that write nothing', async () => {
    const tokens = Array.from({ length: 100 }, () => aToken('decider'))
    const insert = (part: typeof tokens) => async (stores: TransactionStores) => {
      for (const token of part) await stores.accessTokens.insert(token)
    }
    await Promise.all(
      [insert(tokens.slice(0, 80)), ...tokens.slice(80).map((token) => insert([token])), insert([])].map(transact),
    )
    expect(await Promise.all(tokens.map(async (token) => (await storedToken(token)) !== null))).not.toContain(false)
  })

  test('read their own writes and earlier commits', async () => {
    const token = aToken('decider')
    const seen = await transact(async (stores) => {
      await stores.accessTokens.insert(token)
      const own = await stores.accessTokens.findByHash(context(), token.hash)
      return { own: own?.token, client: (await stores.clients.find(context(), clientId('decider')))?.clientId }
    })
    expect(seen).toEqual({ own: token, client: 'decider' })
  })

  test('store nothing when they are rolled back by their result or by an error', async () => {
    const [answered, thrown] = [aToken('decider'), aToken('decider')]
    const events = [anEvent(), anEvent()] as const
    const answer = await backend().transaction(context(), async (stores) => {
      await stores.accessTokens.insert(answered)
      await stores.auditLog.append(events[0])
      return { commit: false, value: 'no' }
    })
    expect(answer).toBe('no')
    const accident = backend().transaction(context(), async (stores) => {
      await stores.accessTokens.insert(thrown)
      await stores.auditLog.append(events[1])
      throw new Error('an accident')
    })
    await expect(accident).rejects.toThrow('an accident')
    expect([await storedToken(answered), await storedToken(thrown)]).toEqual([null, null])
    for (const { eventId } of events) expect(await backend().reads.auditLog.find(context(), eventId)).toBeNull()
  })

  test('leave the queue when their call is cancelled, reject with its reason, and write nothing', async () => {
    const cancel = new AbortController()
    const waiting = aToken('decider')
    const others = Array.from({ length: 200 }, () => aToken('decider'))
    let ahead: readonly Promise<unknown>[] = []
    let left: Promise<unknown> = Promise.resolve()
    await inTransaction(backend(), async () => {
      // More than there are connections; with a single connection, they wait for this transaction.
      ahead = others.map((token) => transact((stores) => Promise.resolve(stores.accessTokens.insert(token))))
      await new Promise((resolve) => setImmediate(resolve))
      left = backend().transaction(context({ signal: cancel.signal }), async (stores) => {
        await stores.accessTokens.insert(waiting)
        return { commit: true, value: null }
      })
      left.catch(() => undefined)
      await Promise.resolve()
      cancel.abort(new Error('the caller left'))
    })
    await expect(left).rejects.toThrow('the caller left')
    await Promise.all(ahead)
    expect(await storedToken(waiting)).toBeNull()
  })

  test('are refused when the database is closing', async () => {
    const other = await openBackend(subject().database.url, options)
    await other.close()
    await expect(
      other.transaction(context(), async (stores) => ({
        commit: true,
        value: await stores.accessTokens.insert(aToken('decider')),
      })),
    ).rejects.toMatchObject({ name: 'StoreError', fault: 'unavailable' })
  })
}
