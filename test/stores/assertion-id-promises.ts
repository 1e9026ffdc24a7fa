import { expect, test } from 'vitest'
import { randomBytes, uuidV7 } from '../../src/crypto/random.ts'
import { epochMs } from '../../src/domain/ids.ts'
import type { AssertionUse } from '../../src/stores/contract/assertion-ids.ts'
import type { Subject } from './contract.ts'
import { context, inTransaction, NOW, winners } from './given.ts'

export function aUse(over: Partial<AssertionUse> = {}): AssertionUse {
  return {
    hash: randomBytes(32),
    useId: uuidV7(),
    expiresAt: epochMs(NOW + 60_000),
    usedAt: NOW,
    by: 'client-a',
    ...over,
  }
}

export function assertionIdPromises(subject: () => Subject): void {
  const find = (...uses: readonly AssertionUse[]) =>
    inTransaction(subject().backend, (stores) =>
      stores.assertionIds.find(
        context(),
        uses.map(({ hash }) => hash),
      ),
    )

  test('are found unchanged by their hash if they were used', async () => {
    const uses = [aUse(), aUse(), aUse()]
    await inTransaction(subject().backend, (stores) => stores.assertionIds.insert(uses.slice(0, 2)))
    const { stored } = await find(...uses)
    expect(new Map(stored.map(({ hash, useId }) => [hash.toString('hex'), useId]))).toEqual(
      new Map(uses.slice(0, 2).map(({ hash, useId }) => [hash.toString('hex'), useId])),
    )
    expect((await find()).stored).toEqual([])
  })

  test('are used once in 20 concurrent attempts', async () => {
    const hash = randomBytes(32)
    expect(await winners(subject().backend, 20, (stores) => stores.assertionIds.insert([aUse({ hash })]))).toBe(1)
    expect((await find(aUse({ hash }))).stored).toHaveLength(1)
  })

  test('are stored together or not at all', async () => {
    const [taken, fresh] = [aUse(), aUse()]
    const insert = (...uses: readonly AssertionUse[]) =>
      inTransaction(subject().backend, (stores) => stores.assertionIds.insert(uses))
    expect(await insert(taken)).toBe(true)
    expect(await insert(fresh, aUse({ hash: taken.hash }))).toBe(false)
    expect((await find(fresh)).stored).toEqual([])
    expect(await insert()).toBe(true)
  })
}
