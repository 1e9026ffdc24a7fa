import { beforeAll, expect, test } from 'vitest'
import { isActive } from '../../src/domain/access-token.ts'
import { thumbprintOf } from '../../src/domain/certificate.ts'
import { clientId, epochMs, grantId, type TokenHash, tokenId, type UserId } from '../../src/domain/ids.ts'
import type { AccessTokenFilter } from '../../src/stores/contract/access-tokens.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aGrant,
  aToken,
  aUser,
  change,
  consent,
  context,
  enroll,
  inTransaction,
  mint,
  NOW,
  register,
} from './given.ts'

export function accessTokenPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.accessTokens
  beforeAll(() => register(subject().backend, aClient('t-one'), aClient('t-two'), aClient('t-gone')))

  test('are found unchanged by hash and by handle, with the state of their client, user and grant', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const grant = aGrant('t-one', user)
    await consent(backend, grant)
    const token = aToken('t-one', {
      subject: user.userId,
      userId: user.userId,
      userGeneration: 1,
      grantId: grant.grantId,
      scopes: [],
      audiences: ['a b', 'ü'],
      actors: ['svc-b', 'svc "a"'],
      ancestors: [tokenId('0190aaaa-0000-7000-8000-000000000001')],
      confirmation: thumbprintOf(Buffer.alloc(32, 255)),
    })
    const plain = aToken('t-one')
    await mint(backend, token, plain)
    const client = { active: true, tokenGeneration: 1, scopes: ['read', 'write'] }
    const undisturbed = { grantRevoked: false, signingKeyRevoked: false }
    const standing = { token, client, user: { active: true, tokenGeneration: 1 }, ...undisturbed }
    expect(await reads().findByHash(context(), plain.hash)).toEqual({
      token: plain,
      client,
      user: null,
      ...undisturbed,
    })
    expect(await reads().findByHash(context(), token.hash)).toEqual(standing)
    expect(await reads().findById(context(), token.tokenId)).toEqual(standing)
    expect(Object.isFrozen(await reads().findById(context(), token.tokenId))).toBe(true)
  })

  test('that do not exist are null, and hashes that differ only in the last byte are distinct', async () => {
    const hash = Buffer.alloc(32, 7)
    hash.fill(0, 30)
    const other = Buffer.from(hash)
    other[31] = 0x20
    await mint(subject().backend, aToken('t-one', { hash: hash as TokenHash }))
    expect(await reads().findByHash(context(), hash as TokenHash)).not.toBeNull()
    expect(await reads().findByHash(context(), other as TokenHash)).toBeNull()
    expect(await reads().findById(context(), tokenId('none'))).toBeNull()
  })

  test('are visible in the first look-up after their commit', async () => {
    for (let n = 0; n < 50; n += 1) {
      const token = aToken('t-one')
      const early = reads().findByHash(context(), token.hash)
      await mint(subject().backend, token)
      expect(await reads().findByHash(context(), token.hash)).not.toBeNull()
      await early
    }
  })

  test('are revoked once in 50 concurrent attempts', async () => {
    const token = aToken('t-one')
    await mint(subject().backend, token)
    const at = epochMs(NOW + 5)
    const revoke = () =>
      inTransaction(subject().backend, (stores) => stores.accessTokens.revoke(token, 'test', { at, by: 'me' }))
    expect((await Promise.all(Array.from({ length: 50 }, revoke))).filter(Boolean)).toHaveLength(1)
    expect((await reads().findById(context(), token.tokenId))?.token.revokedAt).toBe(at)
    expect(
      await inTransaction(subject().backend, (stores) => stores.accessTokens.revoke(aToken('t-one'), 'x', change)),
    ).toBe(false)
  })

  test('are counted up to a limit if they are unexpired, unrevoked and of the current generation of their client', async () => {
    const { backend } = subject()
    await register(backend, aClient('t-count'))
    const client = clientId('t-count')
    const [first, second] = [aToken('t-count'), aToken('t-count')]
    await mint(backend, first, second, aToken('t-count'), aToken('t-count'))
    await mint(
      backend,
      aToken('t-count', { expiresAt: NOW }),
      aToken('t-count', { clientGeneration: 2 }),
      aToken('t-one'),
    )
    expect(await reads().countLive(context(), client, 100)).toBe(4)
    expect(await reads().countLive(context(), client, 3)).toBe(3)
    await inTransaction(backend, (stores) => stores.accessTokens.revoke(first, 'test', change))
    expect(await reads().countLive(context(), client, 100)).toBe(3)
    expect(await reads().countLive(context(), clientId('t-nobody'), 100)).toBe(0)
  })

  test('are listed in pages, newest first, by client and by user, without those of deleted clients', async () => {
    const { backend } = subject()
    const even = await enroll(backend, aUser())
    const odd = await enroll(backend, aUser())
    const mine = Array.from({ length: 5 }, (_, n) => aToken('t-two', { userId: (n % 2 === 0 ? even : odd).userId }))
    const orphan = aToken('t-gone', { userId: even.userId })
    await mint(backend, ...mine, orphan)
    await inTransaction(backend, (stores) => stores.clients.delete(clientId('t-gone'), 1, change))
    const newestFirst = mine.map((token) => token.tokenId).toReversed()
    const list = async (filter: Partial<AccessTokenFilter>, after: string | null = null, limit = 50) => {
      const page = { after: after === null ? null : tokenId(after), limit }
      const found = await reads().page(context(), { clientId: null, userId: null, activeAt: null, ...filter }, page)
      return found.map((standing) => standing.token.tokenId)
    }
    const byTwo = { clientId: clientId('t-two') }
    expect(await list(byTwo)).toEqual(newestFirst)
    expect(await list(byTwo, null, 2)).toEqual(newestFirst.slice(0, 2))
    expect(await list(byTwo, newestFirst[1], 2)).toEqual(newestFirst.slice(2, 4))
    expect(await list({ userId: even.userId })).toEqual([newestFirst[0], newestFirst[2], newestFirst[4]])
    expect(await list({ ...byTwo, userId: odd.userId })).toEqual([newestFirst[1], newestFirst[3]])
    expect(await list({}, null, 1_000)).not.toContain(orphan.tokenId)
  })

  test('are listed as active if and only if isActive returns true', async () => {
    const { backend } = subject()
    await register(backend, aClient('t-live'), aClient('t-off'))
    const at = epochMs(NOW + 1_000)
    const [user, idle, gone, renewed] = [aUser(), aUser(), aUser(), aUser()]
    await enroll(backend, user, idle, gone, renewed)
    const [standing, ended] = [aGrant('t-live', user), aGrant('t-live', user)]
    await consent(backend, standing, ended)
    const of = ({ userId }: { readonly userId: UserId }) => ({ userId, userGeneration: 1 })
    const tokens = [
      aToken('t-live'),
      aToken('t-live', { expiresAt: at }),
      aToken('t-live', { expiresAt: epochMs(at + 1) }),
      aToken('t-live', { clientGeneration: 2 }),
      aToken('t-off'),
      aToken('t-live', of(user)),
      aToken('t-live', { ...of(user), userGeneration: 2 }),
      aToken('t-live', of(idle)),
      aToken('t-live', of(gone)),
      aToken('t-live', of(renewed)),
      aToken('t-live', { ...of(user), grantId: standing.grantId }),
      aToken('t-live', { ...of(user), grantId: ended.grantId }),
      aToken('t-live', { ...of(user), grantId: grantId('purged') }),
    ]
    const revoked = aToken('t-live')
    await mint(backend, ...tokens, revoked)
    await inTransaction(backend, async (stores) => {
      await stores.accessTokens.revoke(revoked, 'test', change)
      await stores.clients.setEnabled(clientId('t-off'), false, 1, change)
      await stores.users.setActive(idle.userId, false, change)
      await stores.users.delete(gone.userId, change)
      await stores.users.startTokenGeneration(renewed.userId, change)
      await stores.grants.revoke(ended, 'test', change)
    })
    const list = async (activeAt: typeof at | null) => {
      const filter = { clientId: null, userId: null, activeAt }
      const page = await reads().page(context(), filter, { after: null, limit: 1_000 })
      return page.filter((standing) => /^t-(live|off)$/.test(standing.token.clientId))
    }
    const all = await list(null)
    expect(all).toHaveLength(14)
    expect(await list(at)).toEqual(all.filter((standing) => isActive(standing, at)))
    expect((await list(at)).map((one) => one.token.tokenId)).toEqual(
      [tokens[0], tokens[2], tokens[5], tokens[10]].map((token) => token?.tokenId).toReversed(),
    )
  })

  test('of a grant are listed oldest first, without those that are expired, revoked, exchanged or of another client', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const [grant, other] = [aGrant('t-one', user), aGrant('t-one', user)]
    await consent(backend, grant, other)
    const of = { userId: user.userId, userGeneration: 1, grantId: grant.grantId }
    const mine = Array.from({ length: 3 }, () => aToken('t-one', of))
    const revoked = aToken('t-one', of)
    await mint(
      backend,
      ...mine.toReversed(),
      revoked,
      aToken('t-one', { ...of, expiresAt: NOW }),
      aToken('t-one', { ...of, ancestors: [revoked.tokenId] }),
      aToken('t-two', of),
      aToken('t-one', { ...of, grantId: other.grantId }),
    )
    await inTransaction(backend, (stores) => stores.accessTokens.revoke(revoked, 'test', change))
    const found = await inTransaction(backend, (stores) =>
      stores.accessTokens.unexpiredOfGrant(context(), grant.grantId),
    )
    expect(found).toEqual(mine.map(({ tokenId, expiresAt }) => ({ tokenId, expiresAt })))
  })

  test('are found by 2,000 concurrent look-ups of 600 tokens', async () => {
    const tokens = Array.from({ length: 600 }, () => aToken('t-one'))
    await mint(subject().backend, ...tokens)
    const asked = Array.from({ length: 2_000 }, (_, n) => tokens[n % 600] ?? aToken('t-one'))
    const found = await Promise.all(asked.map((token) => reads().findByHash(context(), token.hash)))
    expect(found.map((standing) => standing?.token.tokenId)).toEqual(asked.map((token) => token.tokenId))
  })
}
