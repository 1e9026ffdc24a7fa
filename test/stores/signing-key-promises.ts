import { beforeAll, expect, test } from 'vitest'
import { randomBytes, uuidV7 } from '../../src/crypto/random.ts'
import { epochMs, keyId, milliseconds, signingKeyId, tokenId } from '../../src/domain/ids.ts'
import type { SigningAlgorithm, SigningKey } from '../../src/domain/signing-key.ts'
import type { Subject } from './contract.ts'
import { aClient, aToken, change, context, inTransaction, mint, NOW, register, winners } from './given.ts'

export function aKey(over: Partial<SigningKey> = {}): SigningKey {
  return {
    keyId: signingKeyId(uuidV7()),
    algorithm: 'RS256',
    publicJwk: { kty: 'RSA', n: 'n-_', e: 'AQAB' },
    privateKey: { keyId: keyId('encryption-1'), sealed: randomBytes(1_300) },
    state: 'prepared',
    longestLifetime: milliseconds(0),
    preparedAt: NOW,
    preparedBy: 'operator:test',
    activatedAt: null,
    retiredAt: null,
    revokedAt: null,
    tokensUntil: null,
    rayId: 'ray',
    ...over,
  }
}

export function signingKeyPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.signingKeys
  const inside = <T>(work: Parameters<typeof inTransaction<T>>[1]) => inTransaction(subject().backend, work)
  const insert = (...keys: readonly SigningKey[]) =>
    inside(async ({ signingKeys }) => {
      for (const key of keys) if (!(await signingKeys.insert(key))) return false
      return true
    })
  const activate = (key: SigningKey) => inside(({ signingKeys }) => signingKeys.activate(key.keyId, change))
  const until = epochMs(NOW + 3_600_000)
  /** Revokes the keys that an earlier test left active. */
  const clear = async (algorithm: SigningAlgorithm) => {
    const active = await reads().findActive(context(), algorithm)
    if (active !== null) await inside(({ signingKeys }) => signingKeys.retire(active, NOW, change))
  }

  beforeAll(() => register(subject().backend, aClient('k-one')))

  test('are found unchanged, are null if unknown, and are stored once under an id', async () => {
    const key = aKey()
    expect(await insert(key)).toBe(true)
    expect(await insert(key)).toBe(false)
    expect(await reads().find(context(), key.keyId)).toEqual(key)
    expect(Object.isFrozen(await reads().find(context(), key.keyId))).toBe(true)
    expect(await reads().find(context(), signingKeyId(uuidV7()))).toBeNull()
    expect(await inside(({ signingKeys }) => signingKeys.find(context(), key.keyId))).toEqual(key)
  })

  test('sign after activation, and only one of each algorithm', async () => {
    await clear('RS256')
    const [first, second, other] = [aKey(), aKey(), aKey({ algorithm: 'ES256' })]
    await insert(first, second, other)
    expect(await reads().findActive(context(), 'RS256')).toBeNull()
    expect(await activate(first)).toBe(true)
    expect(await activate(first)).toBe(false)
    expect(await activate(second)).toBe(false)
    expect(await activate(other)).toBe(true)
    const active = { ...first, state: 'active', activatedAt: NOW }
    expect(await reads().findActive(context(), 'RS256')).toEqual(active)
    expect(await reads().find(context(), second.keyId)).toEqual(second)
    expect(await reads().findActive(context(), 'EdDSA')).toBeNull()
    await clear('ES256')
  })

  test('are activated once in 20 concurrent attempts', async () => {
    await clear('RS256')
    const keys = Array.from({ length: 20 }, () => aKey())
    await insert(...keys)
    const won = await winners(subject().backend, 20, ({ signingKeys }, n) =>
      signingKeys.activate(keys[n]?.keyId ?? signingKeyId(''), change),
    )
    expect(won).toBe(1)
    const states = await Promise.all(keys.map(async (key) => (await reads().find(context(), key.keyId))?.state))
    expect(states.filter((state) => state === 'active')).toHaveLength(1)
  })

  test('keep the longest lifetime that they were used for while active', async () => {
    await clear('RS256')
    const key = aKey()
    await insert(key)
    const cover = (lifetime: number) =>
      inside(({ signingKeys }) => signingKeys.coverLifetime(key.keyId, milliseconds(lifetime), change))
    expect(await cover(1_000)).toBe(false)
    await activate(key)
    expect([await cover(2_000), await cover(1_000), await cover(2_000), await cover(3_000)]).toEqual([
      true,
      false,
      false,
      true,
    ])
    expect((await reads().findActive(context(), 'RS256'))?.longestLifetime).toBe(3_000)
  })

  test('are retired once, if they did not change since they were read, and lose their private key', async () => {
    await clear('RS256')
    const key = aKey()
    await insert(key)
    await activate(key)
    const active: SigningKey = { ...key, state: 'active', activatedAt: NOW }
    const retire = (judged: SigningKey) => inside(({ signingKeys }) => signingKeys.retire(judged, until, change))
    expect(await retire(key)).toBe(false)
    expect(await retire({ ...active, longestLifetime: milliseconds(1) })).toBe(false)
    const won = await Promise.all(Array.from({ length: 20 }, () => retire(active)))
    expect(won.filter(Boolean)).toHaveLength(1)
    const retired: SigningKey = { ...active, state: 'retired', privateKey: null, retiredAt: NOW, tokensUntil: until }
    expect(await reads().find(context(), key.keyId)).toEqual(retired)
    expect(await reads().findActive(context(), 'RS256')).toBeNull()
    expect([await activate(key), await retire(retired)]).toEqual([false, false])
  })

  test('are revoked once from any state, and stay revoked', async () => {
    await clear('RS256')
    const key = aKey()
    await insert(key)
    await activate(key)
    const won = await winners(subject().backend, 20, ({ signingKeys }) => signingKeys.revoke(key.keyId, 'test', change))
    expect(won).toBe(1)
    const revoked = await reads().find(context(), key.keyId)
    expect(revoked).toMatchObject({ state: 'revoked', privateKey: null, revokedAt: NOW })
    expect(await reads().findActive(context(), 'RS256')).toBeNull()
    expect(await activate(key)).toBe(false)
    expect(await inside(({ signingKeys }) => signingKeys.retire(revoked ?? key, until, change))).toBe(false)
  })

  test('are published, oldest first, from their preparation until their last token has expired', async () => {
    await clear('RS256')
    const keys = [aKey(), aKey(), aKey(), aKey()] as const
    const [prepared, active, retired, revoked] = keys
    await insert(...keys)
    await activate(active)
    await inside(({ signingKeys }) => signingKeys.retire(retired, until, change))
    await inside(({ signingKeys }) => signingKeys.revoke(revoked.keyId, 'test', change))
    const own: ReadonlySet<string> = new Set(keys.map((key) => key.keyId))
    const published = async (now: number) =>
      (await reads().published(context({ now: epochMs(now) }))).map((key) => key.keyId).filter((id) => own.has(id))
    expect(await published(until - 1)).toEqual([prepared.keyId, active.keyId, retired.keyId])
    expect(await published(until)).toEqual([prepared.keyId, active.keyId])
    const atOnce = await Promise.all([until, until - 1, until].map(published))
    expect(atOnce.map((found) => found.includes(retired.keyId))).toEqual([false, true, false])
  })

  test('are listed in pages by state, the last prepared first', async () => {
    const page = async (state: SigningKey['state'] | null) => {
      const found: SigningKey[] = []
      for (let after: SigningKey['keyId'] | null = null; ; ) {
        const keys: readonly SigningKey[] = await reads().page(context(), { state }, { after, limit: 7 })
        found.push(...keys)
        after = keys.at(-1)?.keyId ?? null
        if (keys.length < 7) return found
      }
    }
    const all = await page(null)
    expect(all.length).toBeGreaterThan(25)
    expect(all.map((key) => key.keyId)).toEqual(
      all
        .map((key) => key.keyId)
        .toSorted()
        .toReversed(),
    )
    expect(await page('revoked')).toEqual(all.filter((key) => key.state === 'revoked'))
  })

  test('list the keys that their private keys are encrypted with', async () => {
    const key = aKey({ algorithm: 'EdDSA', privateKey: { keyId: keyId('encryption-2'), sealed: randomBytes(76) } })
    await insert(key)
    expect(await reads().keyIds(context())).toContain('encryption-2')
    await inside(({ signingKeys }) => signingKeys.retire(key, until, change))
    expect(await reads().keyIds(context())).not.toContain('encryption-2')
  })

  test('make the tokens that they signed inactive when they are revoked, in look-ups and lists', async () => {
    await clear('ES256')
    const key = aKey({ algorithm: 'ES256' })
    await insert(key)
    const token = aToken('k-one', { signingKeyId: key.keyId })
    const orphan = aToken('k-one', { signingKeyId: signingKeyId(uuidV7()) })
    await mint(subject().backend, token, orphan)
    const { accessTokens } = subject().backend.reads
    const filter = { clientId: token.clientId, userId: null, activeAt: NOW }
    const look = async () => [
      (await accessTokens.findByHash(context(), token.hash))?.signingKeyRevoked,
      (await accessTokens.findById(context(), token.tokenId))?.signingKeyRevoked,
      (await accessTokens.page(context(), filter, { after: null, limit: 10 })).length,
    ]
    expect(await look()).toEqual([false, false, 1])
    expect((await accessTokens.findById(context(), orphan.tokenId))?.signingKeyRevoked).toBe(true)
    await inside(({ signingKeys }) => signingKeys.revoke(key.keyId, 'x'.repeat(200), change))
    expect(await look()).toEqual([true, true, 0])
    expect((await accessTokens.findById(context(), tokenId(token.tokenId)))?.token).toEqual(token)
  })
}
