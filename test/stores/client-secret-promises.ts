import { beforeAll, expect, test } from 'vitest'
import { clientId, epochMs, keyId } from '../../src/domain/ids.ts'
import type { Subject } from './contract.ts'
import { aClient, aSecret, context, inTransaction, NOW, register, winners } from './given.ts'

export function clientSecretPromises(subject: () => Subject): void {
  const ofClient = (id: string) => subject().backend.reads.clientSecrets.ofClient(context(), clientId(id))
  const insert = (...secrets: ReturnType<typeof aSecret>[]) =>
    inTransaction(subject().backend, async (stores) => {
      for (const secret of secrets) await stores.clientSecrets.insert(secret)
    })

  beforeAll(() =>
    register(
      subject().backend,
      aClient('s-one'),
      aClient('s-two'),
      aClient('s-race'),
      aClient('s-use'),
      aClient('s-made'),
      aClient('s-made-not'),
      aClient('s-orphan'),
    ),
  )

  test('are listed by client, newest first, including expired ones', async () => {
    const old = aSecret('s-one', { expiresAt: epochMs(NOW - 1) })
    const young = aSecret('s-one', { createdAt: epochMs(NOW + 10), keyId: keyId('pepper-2') })
    const other = aSecret('s-two')
    await insert(old, other, young)
    const [one, two, none] = await Promise.all([ofClient('s-one'), ofClient('s-two'), ofClient('s-none')])
    expect(one).toEqual([young, old])
    expect(two).toEqual([other])
    expect(none).toEqual([])
    expect(await subject().backend.reads.clientSecrets.keyIds(context())).toEqual(['pepper-1', 'pepper-2'])
  })

  test('expire earlier, but never later, when all secrets of a client are expired', async () => {
    const at = epochMs(NOW + 100)
    const [a, b, c] = [
      aSecret('s-use', { expiresAt: epochMs(NOW + 50) }),
      aSecret('s-use', { expiresAt: epochMs(NOW + 500) }),
      aSecret('s-use'),
    ]
    await insert(a, b, c)
    await inTransaction(subject().backend, (stores) => stores.clientSecrets.expireAll(clientId('s-use'), at))
    const ends = new Map((await ofClient('s-use')).map((secret) => [secret.secretId, secret.expiresAt]))
    expect([a, b, c].map((secret) => ends.get(secret.secretId))).toEqual([NOW + 50, at, at])
  })

  test('are deleted once in 20 concurrent attempts, and only by their own client', async () => {
    const secret = aSecret('s-race')
    await insert(secret)
    const remove = (client: string) =>
      inTransaction(subject().backend, (stores) => stores.clientSecrets.delete(clientId(client), secret.secretId))
    expect(await remove('s-two')).toBe(false)
    const won = await Promise.all(Array.from({ length: 20 }, () => remove('s-race')))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await ofClient('s-race')).toEqual([])
  })

  test('keep their latest use, in whatever order uses are recorded', async () => {
    const secret = aSecret('s-race')
    await insert(secret)
    for (const at of [NOW + 60_000, NOW, NOW + 30_000]) {
      await inTransaction(subject().backend, (stores) => stores.clientSecrets.markUsed(secret.secretId, epochMs(at)))
    }
    expect((await ofClient('s-race'))[0]?.lastUsedAt).toBe(NOW + 60_000)
  })

  test('with a hash of another server are rehashed once in 10 concurrent attempts', async () => {
    const { backend } = subject()
    await register(backend, aClient('importer'))
    const importedHash = '$2b$04$abcdefghijklmnopqrstuuYf0hRrFqRuQq8VQ0xUnWlZkYd3Q5b3i'
    const imported = aSecret('importer', { importedHash })
    await inTransaction(backend, (stores) => stores.clientSecrets.insert(imported))
    expect(await backend.reads.clientSecrets.ofClient(context(), clientId('importer'))).toEqual([imported])
    const rehashed = { ...imported, keyId: keyId('pepper-2'), hash: aSecret('importer').hash, importedHash: null }
    const rehash = (from: string) => winners(backend, 10, (stores) => stores.clientSecrets.rehash(rehashed, from))
    expect(await rehash(importedHash.toLowerCase())).toBe(0)
    expect(await rehash(importedHash)).toBe(1)
    expect(await backend.reads.clientSecrets.ofClient(context(), clientId('importer'))).toEqual([rehashed])
  })

  test('keep the secret that they were made with, and can be moved to another one together', async () => {
    const maker = aSecret('s-made')
    const made = aSecret('s-made', { madeBy: maker.secretId })
    const grandchild = aSecret('s-made', { madeBy: made.secretId })
    await insert(maker, made, grandchild)
    const makers = async (client: string) =>
      new Map((await ofClient(client)).map(({ secretId, madeBy }) => [secretId, madeBy]))
    expect(await makers('s-made')).toEqual(
      new Map([
        [maker.secretId, null],
        [made.secretId, maker.secretId],
        [grandchild.secretId, made.secretId],
      ]),
    )
    const adopt = (client: string) =>
      inTransaction(subject().backend, (stores) =>
        stores.clientSecrets.adopt(clientId(client), made.secretId, maker.secretId),
      )
    await adopt('s-made-not')
    expect((await makers('s-made')).get(grandchild.secretId)).toBe(made.secretId)
    await adopt('s-made')
    expect((await makers('s-made')).get(grandchild.secretId)).toBe(maker.secretId)
    expect((await makers('s-made')).get(made.secretId)).toBe(maker.secretId)
  })

  test('are no longer listed without the secret that made them, which an older server deletes alone', async () => {
    const [first, second] = [aSecret('s-orphan'), aSecret('s-orphan')]
    const made = aSecret('s-orphan', { madeBy: first.secretId })
    const grandchild = aSecret('s-orphan', { madeBy: made.secretId })
    const sibling = aSecret('s-orphan', { madeBy: second.secretId })
    await insert(first, second, made, grandchild, sibling)
    const ids = async () => (await ofClient('s-orphan')).map(({ secretId }) => secretId).toSorted()
    expect(await ids()).toHaveLength(5)
    const orphans = async () =>
      (await subject().backend.reads.clientSecrets.orphansOf(context(), clientId('s-orphan'))).map(
        ({ secretId }) => secretId,
      )
    expect(await orphans()).toEqual([])
    await inTransaction(subject().backend, (stores) =>
      stores.clientSecrets.delete(clientId('s-orphan'), first.secretId),
    )
    expect(await ids()).toEqual([second.secretId, sibling.secretId].toSorted())
    expect((await orphans()).toSorted()).toEqual([made.secretId, grandchild.secretId].toSorted())
    expect(await subject().backend.reads.clientSecrets.orphansOf(context(), clientId('s-orphan-not'))).toEqual([])
  })
}
