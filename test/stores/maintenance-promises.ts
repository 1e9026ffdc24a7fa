import { beforeAll, expect, test } from 'vitest'
import { randomBytes, uuidV7 } from '../../src/crypto/random.ts'
import type { PurgeKind } from '../../src/domain/expiry.ts'
import { clientId, epochMs, tokenId } from '../../src/domain/ids.ts'
import type { AssertionUse } from '../../src/stores/contract/assertion-ids.ts'
import { aUse } from './assertion-id-promises.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aCode,
  aDeviceAuthorization,
  aGrant,
  aRefreshToken,
  aToken,
  aUser,
  consent,
  context,
  enroll,
  inTransaction,
  mint,
  NOW,
  register,
} from './given.ts'

/** All rows here expired long before those of the other promises. */
const PAST = epochMs(1_000_000_000_000)
const BEFORE = epochMs(PAST + 1_000)

export function maintenancePromises(subject: () => Subject): void {
  const maintenance = () => subject().backend.maintenance
  const purgeAll = async (kind: PurgeKind, limit = 1_000) => {
    const counts: number[] = []
    do counts.push(await maintenance().purge(kind, BEFORE, limit))
    while (counts.at(-1) !== 0)
    return counts
  }
  beforeAll(() => register(subject().backend, aClient('m-one')))

  test('gives a lease to one of 20 holders, which can renew it, and to another one after its expiry', async () => {
    const until = epochMs(NOW + 1_000)
    const acquire = (holder: string, now = NOW, end = until) => maintenance().acquireLease('purge', holder, now, end)
    const race = async (now: typeof NOW, end: typeof NOW) => {
      const won = await Promise.all(Array.from({ length: 20 }, (_, n) => acquire(`instance-${n}`, now, end)))
      expect(won.filter(Boolean)).toHaveLength(1)
      return `instance-${won.indexOf(true)}`
    }
    const first = await race(NOW, until)
    expect(await acquire('instance-x', epochMs(until - 1))).toBe(false)
    const renewed = epochMs(until + 1_000)
    expect(await acquire(first, epochMs(until - 1), renewed)).toBe(true)
    expect(await acquire('instance-x', until)).toBe(false)
    const next = await race(renewed, epochMs(renewed + 500))
    expect(await acquire(next, epochMs(renewed + 1), epochMs(renewed + 500))).toBe(true)
    expect(await maintenance().acquireLease('other', 'instance-x', NOW, until)).toBe(true)
  })

  test('gives a lease to another holder if a clock that was ahead took it for longer than allowed', async () => {
    const acquire = (holder: string, now: number, end: number) =>
      maintenance().acquireLease('ahead', holder, epochMs(now), epochMs(end))
    expect(await acquire('ahead-by-an-hour', NOW + 3_600_000, NOW + 3_690_000)).toBe(true)
    // The release of a lease by another holder has no effect.
    expect(await acquire('instance-x', NOW, NOW)).toBe(false)
    expect(await acquire('instance-x', NOW, NOW + 90_000)).toBe(true)
    expect(await acquire('instance-y', NOW, NOW + 90_000)).toBe(false)
  })

  test('deletes only expired access tokens, in batches', async () => {
    const { backend } = subject()
    const ended = Array.from({ length: 5 }, (_, n) => aToken('m-one', { expiresAt: epochMs(PAST - n) }))
    const kept = [aToken('m-one', { expiresAt: BEFORE }), aToken('m-one')]
    await mint(backend, ...ended, ...kept)
    expect(await maintenance().backlog('access_tokens', BEFORE, 3)).toEqual({ count: 3, oldest: PAST - 4 })
    expect(await maintenance().backlog('access_tokens', BEFORE, 10)).toEqual({ count: 5, oldest: PAST - 4 })
    expect(await purgeAll('access_tokens', 3)).toEqual([3, 2, 0])
    expect(await maintenance().backlog('access_tokens', BEFORE, 10)).toEqual({ count: 0, oldest: null })
    const left = await Promise.all(
      [...ended, ...kept].map((token) => backend.reads.accessTokens.findById(context(), token.tokenId)),
    )
    expect(left.map((standing) => standing !== null)).toEqual([false, false, false, false, false, true, true])
  })

  test('deletes only expired device authorizations, decided or not', async () => {
    const { backend } = subject()
    const all = [
      aDeviceAuthorization('m-one', { expiresAt: PAST }),
      aDeviceAuthorization('m-one', { expiresAt: PAST, decision: 'redeemed' }),
      aDeviceAuthorization('m-one', { expiresAt: BEFORE }),
    ]
    for (const one of all) await inTransaction(backend, (stores) => stores.deviceAuthorizations.insert(one))
    expect(await maintenance().backlog('device_authorizations', BEFORE, 9)).toEqual({ count: 2, oldest: PAST })
    expect(await purgeAll('device_authorizations')).toEqual([2, 0])
    const left = await Promise.all(
      all.map((one) => backend.reads.deviceAuthorizations.findByDeviceCode(context(), one.deviceCodeHash)),
    )
    expect(left.map((one) => one !== null)).toEqual([false, false, true])
  })

  test('deletes only expired assertion ids, in batches, and stores the latest end of those', async () => {
    const { backend } = subject()
    const uses = [aUse({ expiresAt: PAST }), aUse({ expiresAt: epochMs(PAST + 1) }), aUse({ expiresAt: BEFORE })]
    const hashes = uses.map(({ hash }) => hash)
    const insert = (...some: readonly AssertionUse[]) =>
      inTransaction(backend, (stores) => stores.assertionIds.insert(some))
    const find = () => inTransaction(backend, (stores) => stores.assertionIds.find(context(), hashes))
    await insert(...uses)
    expect((await find()).deletedUntil).toBeNull()
    expect(await maintenance().backlog('assertion_ids', BEFORE, 9)).toEqual({ count: 2, oldest: PAST })
    expect(await purgeAll('assertion_ids', 1)).toEqual([1, 1, 0])
    expect(await maintenance().backlog('assertion_ids', BEFORE, 9)).toEqual({ count: 0, oldest: null })
    const { stored, deletedUntil } = await find()
    expect(stored.map(({ useId }) => useId)).toEqual([uses[2]?.useId])
    expect(deletedUntil).toBe(PAST + 1)

    await insert(aUse({ expiresAt: epochMs(PAST - 1) }))
    expect(await purgeAll('assertion_ids')).toEqual([1, 0])
    expect((await find()).deletedUntil).toBe(PAST + 1)
  })

  test('deletes only old counts of scopes', async () => {
    const { backend } = subject()
    const count = { day: epochMs(0), clientId: clientId('m-usage'), scope: 's', asked: 1, granted: 2 }
    const add = (scope: string, forgetAt: typeof PAST) =>
      inTransaction(backend, (stores) => stores.usage.add([{ ...count, scope }], { at: NOW, forgetAt }))
    for (let twice = 0; twice < 2; twice += 1) {
      await add('old', PAST)
      await add('new', BEFORE)
    }
    const usage = () =>
      backend.reads.usage.page(context(), { clientId: clientId('m-usage'), from: null, until: null }, null, 9)
    const twice = { asked: 2, granted: 4 }
    expect((await usage())[0]?.scopes).toEqual([
      { scope: 'new', ...twice },
      { scope: 'old', ...twice },
    ])
    expect(await maintenance().backlog('scope_usage', BEFORE, 9)).toEqual({ count: 1, oldest: PAST })
    expect(await purgeAll('scope_usage')).toEqual([1, 0])
    expect((await usage())[0]?.scopes).toEqual([{ scope: 'new', ...twice }])
  })

  test('deletes a grant with all its codes and tokens, but not while one of its tokens may be active', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const [ended, living] = [
      aGrant('m-one', user, { tokensUntil: PAST }),
      aGrant('m-one', user, { tokensUntil: BEFORE }),
    ]
    await consent(backend, ended, living)
    const spent = { expiresAt: PAST, consumedAt: PAST, successorId: tokenId(uuidV7()) }
    const given = [ended, living].map((grant) => ({
      grant,
      codes: [aCode(grant, { expiresAt: PAST, consumedAt: PAST })],
      refreshTokens: [aRefreshToken(grant, spent), aRefreshToken(grant, spent), aRefreshToken(grant, spent)],
      accessToken: aToken('m-one', { userId: user.userId, userGeneration: 1, grantId: grant.grantId, expiresAt: PAST }),
    }))
    for (const { codes, refreshTokens, accessToken } of given) {
      await inTransaction(backend, async (stores) => {
        for (const code of codes) await stores.authorizationCodes.insert(code)
        for (const token of refreshTokens) await stores.refreshTokens.insert(token)
        await stores.accessTokens.insert(accessToken)
      })
    }
    expect(await maintenance().backlog('grants', BEFORE, 10)).toEqual({ count: 1, oldest: PAST })
    // A code, three refresh tokens, an access token and the grant.
    expect(await purgeAll('grants', 4)).toEqual([4, 2, 0])
    const { reads } = backend
    const left = await Promise.all(
      given.map(async ({ grant, codes, refreshTokens, accessToken }) => {
        const found = await Promise.all([
          reads.grants.find(context(), grant.grantId),
          ...codes.map((code) => reads.authorizationCodes.findByHash(context(), code.hash)),
          ...refreshTokens.map((token) => reads.refreshTokens.findByHash(context(), token.hash)),
          reads.accessTokens.findByHash(context(), accessToken.hash),
        ])
        return found.filter((one) => one !== null).length
      }),
    )
    expect(left).toEqual([0, 6])
    await purgeAll('access_tokens')
  })

  test('does not delete a grant whose life is extended concurrently', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const grants = Array.from({ length: 12 }, () => aGrant('m-one', user, { tokensUntil: PAST }))
    await consent(backend, ...grants)
    const held = await Promise.all([
      ...grants.map((grant) =>
        inTransaction(backend, async (stores) => {
          const held = await stores.grants.lock(grant.grantId, epochMs(NOW + 1_000))
          if (held) await stores.refreshTokens.insert(aRefreshToken(grant))
          return held
        }),
      ),
      purgeAll('grants', 3).then(() => false),
    ])
    const found = await Promise.all(grants.map((grant) => backend.reads.grants.find(context(), grant.grantId)))
    expect(found.map((grant) => grant !== null)).toEqual(held.slice(0, -1))
  })

  test('erases the answers of spent refresh tokens after their replay window', async () => {
    const { backend } = subject()
    const grant = aGrant('m-one', await enroll(backend, aUser()))
    await consent(backend, grant)
    const replay = (until: number) => ({ answer: randomBytes(300), until: epochMs(until) })
    const tokens = [aRefreshToken(grant), aRefreshToken(grant), aRefreshToken(grant)] as const
    await inTransaction(backend, async (stores) => {
      for (const [n, token] of tokens.entries()) {
        await stores.refreshTokens.insert(token)
        const rotation = { successorId: tokenId(uuidV7()), replay: replay(PAST + n) }
        await stores.refreshTokens.consume(token.tokenId, PAST, rotation)
      }
    })
    expect(await maintenance().eraseReplays(epochMs(PAST + 1), 1)).toBe(1)
    expect(await maintenance().eraseReplays(epochMs(PAST + 1), 9)).toBe(1)
    expect(await maintenance().eraseReplays(epochMs(PAST + 1), 9)).toBe(0)
    const found = await Promise.all(
      tokens.map((token) => backend.reads.refreshTokens.findById(context(), token.tokenId)),
    )
    expect(found.map((standing) => standing?.token.replay?.until ?? null)).toEqual([null, null, PAST + 2])
    expect(found.map((standing) => standing?.token.consumedAt)).toEqual([PAST, PAST, PAST])
  })
}
