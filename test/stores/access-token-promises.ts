import { beforeAll, expect, test } from 'vitest'
import { isActive } from '../../src/domain/access-token.ts'
import { clientId, epochMs, grantId, type TokenHash, tokenId, userId } from '../../src/domain/ids.ts'
import type { AccessTokenFilter } from '../../src/stores/contract.ts'
import type { Subject } from './contract.ts'
import { aClient, aToken, change, context, inTransaction, mint, NOW, register } from './given.ts'

export function accessTokenPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.accessTokens
  beforeAll(() => register(subject().backend, aClient('t-one'), aClient('t-two'), aClient('t-gone')))

  test('are found by hash and by handle as they were stored, with the standing of their client', async () => {
    const token = aToken('t-one', {
      userId: userId('user 1'),
      grantId: grantId('0190aaaa-0000-7000-8000-000000000001'),
      scopes: [],
      audiences: ['a b', 'ü'],
    })
    await mint(subject().backend, token)
    const standing = {
      token,
      client: { enabled: true, deleted: false, tokenGeneration: 1, scopes: ['read', 'write'] },
    }
    expect(await reads().findByHash(context(), token.hash)).toEqual(standing)
    expect(await reads().findById(context(), token.tokenId)).toEqual(standing)
    expect(Object.isFrozen(await reads().findById(context(), token.tokenId))).toBe(true)
  })

  test('that do not exist are null, and a hash that ends in zeros is its own', async () => {
    const hash = Buffer.alloc(32, 7)
    hash.fill(0, 30)
    const other = Buffer.from(hash)
    other[31] = 0x20
    await mint(subject().backend, aToken('t-one', { hash: hash as TokenHash }))
    expect(await reads().findByHash(context(), hash as TokenHash)).not.toBeNull()
    expect(await reads().findByHash(context(), other as TokenHash)).toBeNull()
    expect(await reads().findById(context(), tokenId('none'))).toBeNull()
  })

  test('show in the next look what was committed before it', async () => {
    for (let n = 0; n < 50; n += 1) {
      const token = aToken('t-one')
      const early = reads().findByHash(context(), token.hash)
      await mint(subject().backend, token)
      expect(await reads().findByHash(context(), token.hash)).not.toBeNull()
      await early
    }
  })

  test('are revoked once, of 50 concurrent attempts', async () => {
    const token = aToken('t-one')
    await mint(subject().backend, token)
    const at = epochMs(NOW + 5)
    const revoke = () =>
      inTransaction(subject().backend, (stores) => stores.accessTokens.revoke(token.tokenId, 'test', { at, by: 'me' }))
    expect((await Promise.all(Array.from({ length: 50 }, revoke))).filter(Boolean)).toHaveLength(1)
    expect((await reads().findById(context(), token.tokenId))?.token.revokedAt).toBe(at)
    expect(
      await inTransaction(subject().backend, (stores) => stores.accessTokens.revoke(tokenId('no'), 'x', change)),
    ).toBe(false)
  })

  test('are listed newest first, page by page, by client and by user, without those of deleted clients', async () => {
    const { backend } = subject()
    const mine = Array.from({ length: 5 }, (_, n) => aToken('t-two', { userId: userId(n % 2 === 0 ? 'even' : 'odd') }))
    const orphan = aToken('t-gone', { userId: userId('even') })
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
    expect(await list({ userId: userId('even') })).toEqual([newestFirst[0], newestFirst[2], newestFirst[4]])
    expect(await list({ ...byTwo, userId: userId('odd') })).toEqual([newestFirst[1], newestFirst[3]])
    expect(await list({}, null, 1_000)).not.toContain(orphan.tokenId)
  })

  test('are listed as active exactly where isActive says so', async () => {
    const { backend } = subject()
    await register(backend, aClient('t-live'), aClient('t-off'))
    const at = epochMs(NOW + 1_000)
    const tokens = [
      aToken('t-live'),
      aToken('t-live', { expiresAt: at }),
      aToken('t-live', { expiresAt: epochMs(at + 1) }),
      aToken('t-live', { clientGeneration: 2 }),
      aToken('t-off'),
    ]
    const revoked = aToken('t-live')
    await mint(backend, ...tokens, revoked)
    await inTransaction(backend, (stores) => stores.accessTokens.revoke(revoked.tokenId, 'test', change))
    await inTransaction(backend, (stores) => stores.clients.setEnabled(clientId('t-off'), false, 1, change))
    const list = async (activeAt: typeof at | null) => {
      const filter = { clientId: null, userId: null, activeAt }
      const page = await reads().page(context(), filter, { after: null, limit: 1_000 })
      return page.filter((standing) => /^t-(live|off)$/.test(standing.token.clientId))
    }
    const all = await list(null)
    expect(all).toHaveLength(6)
    expect(await list(at)).toEqual(all.filter((standing) => isActive(standing, at)))
    expect(await list(at)).toHaveLength(2)
  })

  test('under one hash share an answer, asked 2,000 times at once for 600 tokens', async () => {
    const tokens = Array.from({ length: 600 }, () => aToken('t-one'))
    await mint(subject().backend, ...tokens)
    const asked = Array.from({ length: 2_000 }, (_, n) => tokens[n % 600] ?? aToken('t-one'))
    const found = await Promise.all(asked.map((token) => reads().findByHash(context(), token.hash)))
    expect(found.map((standing) => standing?.token.tokenId)).toEqual(asked.map((token) => token.tokenId))
  })
}
