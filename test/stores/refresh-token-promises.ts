import { beforeAll, expect, test } from 'vitest'
import { randomBytes, uuidV7 } from '../../src/crypto/random.ts'
import { isGrantActive, type RefreshToken } from '../../src/domain/grant.ts'
import { clientId, epochMs, type TokenHash, type TokenId, tokenId } from '../../src/domain/ids.ts'
import type { User } from '../../src/domain/user.ts'
import type { AccessTokenFilter } from '../../src/stores/contract/access-tokens.ts'
import type { Rotation } from '../../src/stores/contract/grants.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aGrant,
  aRefreshToken,
  aUser,
  change,
  consent,
  context,
  enroll,
  inTransaction,
  NOW,
  register,
  winners,
} from './given.ts'

export function refreshTokenPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.refreshTokens
  const find = async (token: RefreshToken) => (await reads().findById(context(), token.tokenId))?.token
  beforeAll(() => register(subject().backend, aClient('r-one')))

  async function insert(...tokens: readonly RefreshToken[]) {
    await inTransaction(subject().backend, async (stores) => {
      for (const token of tokens) await stores.refreshTokens.insert(token)
    })
  }

  /** A family of one token. */
  async function given(client: string, user: User, over: Partial<RefreshToken> = {}) {
    const grant = aGrant(client, user)
    const token = aRefreshToken(grant, over)
    await consent(subject().backend, grant)
    await insert(token)
    return { grant, token }
  }

  function rotation(): Rotation {
    return {
      successorId: tokenId(uuidV7()),
      replay: { answer: randomBytes(400), until: epochMs(NOW + 10_000) },
    }
  }

  test('are found unchanged by hash and by handle, with their grant and its parties', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const { grant, token } = await given('r-one', user, { predecessorId: tokenId(uuidV7()) })
    const party = { active: true, tokenGeneration: 1 }
    const standing = { token, grant, client: party, user: party }
    expect(await reads().findByHash(context(), token.hash)).toEqual(standing)
    expect(await reads().findById(context(), token.tokenId)).toEqual(standing)
    await inTransaction(backend, async (stores) => {
      expect(await stores.refreshTokens.findByHash(context(), token.hash)).toEqual(standing)
      expect(await stores.refreshTokens.findById(context(), token.tokenId)).toEqual(standing)
    })
    expect(await reads().findByHash(context(), Buffer.alloc(32, 3) as TokenHash)).toBeNull()
    expect(await reads().findById(context(), tokenId('none'))).toBeNull()
  })

  test('are spent once in 50 concurrent attempts, and keep the answer of the winner', async () => {
    const { backend } = subject()
    const { token } = await given('r-one', await enroll(backend, aUser()))
    const rotations = Array.from({ length: 50 }, rotation)
    const at = epochMs(NOW + 7)
    const won = await Promise.all(
      rotations.map((one) => inTransaction(backend, (stores) => stores.refreshTokens.consume(token.tokenId, at, one))),
    )
    expect(won.filter(Boolean)).toHaveLength(1)
    const winner = rotations[won.indexOf(true)]
    expect(await find(token)).toEqual({ ...token, ...winner, consumedAt: at })
  })

  test('can erase their answer', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const { token } = await given('r-one', user)
    const { token: other } = await given('r-one', user)
    const [one, two] = [rotation(), { ...rotation(), replay: null }]
    await inTransaction(backend, async (stores) => {
      await stores.refreshTokens.consume(token.tokenId, NOW, one)
      await stores.refreshTokens.consume(other.tokenId, NOW, two)
    })
    expect((await find(other))?.replay).toBeNull()
    await inTransaction(backend, (stores) => stores.refreshTokens.eraseReplay(token.tokenId))
    expect(await find(token)).toMatchObject({ replay: null, successorId: one.successorId, consumedAt: NOW })
  })

  test('are listed in pages, newest first, by client and by user, without those of deleted clients', async () => {
    const { backend } = subject()
    await register(backend, aClient('r-list'), aClient('r-gone'))
    const [a, b] = [aUser(), aUser()]
    await enroll(backend, a, b)
    const ids: TokenId[] = []
    for (const user of [a, b, a, b]) ids.unshift((await given('r-list', user)).token.tokenId)
    const { token: orphan } = await given('r-gone', a)
    await inTransaction(backend, (stores) => stores.clients.delete(clientId('r-gone'), 1, change))
    const list = async (filter: Partial<AccessTokenFilter>, after: TokenId | undefined, limit: number) => {
      const page = { after: after ?? null, limit }
      const found = await reads().page(context(), { clientId: null, userId: null, activeAt: null, ...filter }, page)
      return found.map((standing) => standing.token.tokenId)
    }
    const mine = { clientId: clientId('r-list') }
    expect(await list(mine, undefined, 50)).toEqual(ids)
    expect(await list(mine, ids[0], 2)).toEqual(ids.slice(1, 3))
    expect(await list({ userId: a.userId }, undefined, 50)).toEqual([ids[1], ids[3]])
    expect(await list({}, undefined, 1_000)).not.toContain(orphan.tokenId)
  })

  test('are listed as active if and only if they are unspent, unexpired and of an active grant', async () => {
    const { backend } = subject()
    await register(backend, aClient('r-live'), aClient('r-off'))
    const [user, idle] = [aUser(), aUser()]
    await enroll(backend, user, idle)
    const at = epochMs(NOW + 1_000)
    const { token: spent } = await given('r-live', user)
    const { grant: revoked } = await given('r-live', user)
    const ended = aGrant('r-live', user, { expiresAt: at })
    const old = aGrant('r-live', user, { userGeneration: 0 })
    await consent(backend, ended, old)
    await insert(aRefreshToken(ended), aRefreshToken(old))
    await given('r-live', idle)
    await given('r-off', user)
    await given('r-live', user, { expiresAt: at })
    const { token: live } = await given('r-live', user, { expiresAt: epochMs(at + 1) })
    await inTransaction(backend, async (stores) => {
      await stores.refreshTokens.consume(spent.tokenId, NOW, rotation())
      await stores.grants.revoke(revoked, 'test', change)
      await stores.users.setActive(idle.userId, false, change)
      await stores.clients.setEnabled(clientId('r-off'), false, 1, change)
    })
    const list = async (activeAt: typeof at | null) => {
      const filter = { clientId: null, userId: null, activeAt }
      const page = await reads().page(context(), filter, { after: null, limit: 1_000 })
      return page.filter((standing) => /^r-(live|off)$/.test(standing.token.clientId))
    }
    const all = await list(null)
    expect(all).toHaveLength(8)
    expect((await list(at)).map((standing) => standing.token.tokenId)).toEqual([live.tokenId])
    expect(await list(at)).toEqual(
      all.filter((one) => one.token.consumedAt === null && at < one.token.expiresAt && isGrantActive(one, at)),
    )
  })

  test('give the grants of a client in use, the one with the oldest token first', async () => {
    const { backend } = subject()
    await register(backend, aClient('r-fifo'), aClient('r-other'))
    const [a, b, idle] = [aUser(), aUser(), aUser()]
    await enroll(backend, a, b, idle)
    const one = await given('r-fifo', a)
    const two = await given('r-fifo', b)
    const three = await given('r-fifo', a)
    const spent = await given('r-fifo', a)
    const revoked = await given('r-fifo', a)
    await given('r-fifo', a, { expiresAt: NOW })
    const back = await given('r-fifo', idle)
    await given('r-other', a)
    await inTransaction(backend, async (stores) => {
      await stores.refreshTokens.consume(spent.token.tokenId, NOW, rotation())
      await stores.grants.revoke(revoked.grant, 'test', change)
      await stores.users.setActive(idle.userId, false, change)
      // The token of the first grant is rotated, so it is now the newest.
      await stores.refreshTokens.consume(one.token.tokenId, NOW, rotation())
      await stores.refreshTokens.insert(aRefreshToken(one.grant))
    })
    const active = (user: User | null) =>
      inTransaction(backend, (stores) =>
        stores.refreshTokens.spendableGrants(context(), clientId('r-fifo'), user?.userId ?? null),
      )
    const idOf = ({ grant: { grantId, expiresAt } }: typeof one) => ({ grantId, expiresAt })
    expect(await active(null)).toEqual([two, three, back, one].map(idOf))
    expect(await active(a)).toEqual([three, one].map(idOf))
    expect(await active(b)).toEqual([idOf(two)])
    expect(await active(idle)).toEqual([idOf(back)])
    await inTransaction(backend, (stores) => stores.clients.startTokenGeneration(clientId('r-fifo'), change))
    expect(await active(null)).toEqual([])
  })

  test('never exceed a limit that is checked under the lock of the client', async () => {
    const { backend } = subject()
    await register(backend, aClient('r-limit'))
    const user = await enroll(backend, aUser())
    const client = clientId('r-limit')
    const counts: number[] = []
    await winners(backend, 24, async (stores) => {
      await stores.clients.lock(client)
      const active = await stores.refreshTokens.spendableGrants(context(), client, user.userId)
      for (const grant of active.slice(0, Math.max(0, active.length - 2))) {
        await stores.grants.revoke(grant, 'limit', change)
      }
      const grant = aGrant('r-limit', user)
      await stores.grants.insert(grant)
      await stores.refreshTokens.insert(aRefreshToken(grant))
      counts.push((await stores.refreshTokens.spendableGrants(context(), client, user.userId)).length)
      return true
    })
    expect(Math.max(...counts)).toBe(3)
    const left = await inTransaction(backend, (stores) => stores.refreshTokens.spendableGrants(context(), client, null))
    expect(left).toHaveLength(3)
  })
}
