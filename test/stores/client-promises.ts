import { expect, test } from 'vitest'
import { DEFAULT_CLIENT_CONFIG } from '../../src/domain/client.ts'
import { clientId, epochMs, milliseconds } from '../../src/domain/ids.ts'
import type { ClientFilter } from '../../src/stores/contract/clients.ts'
import type { Subject } from './contract.ts'
import { aClient, aSecret, aToken, change, context, inTransaction, mint, NOW, register } from './given.ts'

const anyClient: ClientFilter = { enabled: null, type: null, idPrefix: null, owner: null }

export function clientPromises(subject: () => Subject): void {
  const find = (id: string) => subject().backend.reads.clients.find(context(), clientId(id))

  test('are read unchanged after registration: enabled, at version 1 and generation 1', async () => {
    const client = aClient('as-registered', {
      jwks: '{"keys":[{"kid":"ü"}]}',
      tlsClientSubject: 'uri:spiffe://shop/Orders',
      resourceAudiences: ['billing', 'Ledger'],
      config: {
        ...DEFAULT_CLIENT_CONFIG,
        accessTokenTtl: milliseconds(1_234),
        maxActiveAccessTokens: 7,
        requirePkce: false,
        accessTokenFormat: 'jwt',
        metadata: { ключ: 'значение' },
      },
    })
    await register(subject().backend, client)
    const found = await find('as-registered')
    expect(found).toEqual({
      ...client,
      resourceAudiences: expect.arrayContaining(['billing', 'Ledger']),
      enabled: true,
      version: 1,
      tokenGeneration: 1,
      createdAt: NOW,
      createdBy: change.by,
      updatedAt: NOW,
      updatedBy: change.by,
    })
    expect(Object.isFrozen(found)).toBe(true)
    expect(Object.isFrozen(found?.config)).toBe(true)
  })

  test('have an owner that an update can change, and by which they are listed', async () => {
    const { backend } = subject()
    const owned = aClient('owned-1', { owner: 'team-a' })
    await register(backend, owned, aClient('owned-2', { owner: 'team-b' }), aClient('owned-3'))
    const listed = async (owner: string) =>
      (await backend.reads.clients.page(context(), { ...anyClient, owner }, { after: null, limit: 10 })).map(
        (client) => client.clientId,
      )
    expect(await listed('team-a')).toEqual(['owned-1'])
    const next = { ...owned, owner: 'team-b' }
    expect(await inTransaction(backend, (stores) => stores.clients.update(next, 1, change))).toBe(true)
    expect(await find('owned-1')).toMatchObject({ owner: 'team-b', version: 2 })
    expect(await find('owned-3')).toMatchObject({ owner: null })
    expect(await listed('team-b')).toEqual(['owned-1', 'owned-2'])
    expect(await listed('team-A')).toEqual([])
  })

  test('that do not exist are null, also in a batch with existing ones', async () => {
    await register(subject().backend, aClient('exists'))
    const found = await Promise.all([find('exists'), find('absent'), find('exists')])
    expect(found.map((client) => client?.clientId ?? null)).toEqual(['exists', null, 'exists'])
  })

  test('are distinct when their ids differ in one byte', async () => {
    await register(subject().backend, aClient('Foo'), aClient('foo'), aClient('foo '))
    expect((await find('Foo'))?.displayName).toBe('Client Foo')
    expect((await find('foo'))?.displayName).toBe('Client foo')
    expect((await find('foo '))?.displayName).toBe('Client foo ')
    expect(await find('FOO')).toBeNull()
    expect(await find('foo  ')).toBeNull()
  })

  test('are registered once in 20 concurrent attempts', async () => {
    const attempts = Array.from({ length: 20 }, (_, n) =>
      inTransaction(subject().backend, (stores) =>
        stores.clients.insert(aClient('contested', { displayName: String(n) }), change),
      ),
    )
    expect((await Promise.all(attempts)).filter(Boolean)).toHaveLength(1)
    expect(await find('contested')).not.toBeNull()
  })

  test('get an audience once in 20 concurrent attempts, and the others leave nothing', async () => {
    const attempts = Array.from({ length: 20 }, (_, n) =>
      inTransaction(subject().backend, (stores) =>
        stores.clients.insert(aClient(`wants-${n}`, { resourceAudiences: ['wanted'] }), change),
      ),
    )
    const won = await Promise.all(attempts)
    expect(won.filter(Boolean)).toHaveLength(1)
    const found = await Promise.all(won.map((_, n) => find(`wants-${n}`)))
    expect(found.map((client) => client !== null)).toEqual(won)
  })

  test("cannot take another's id as an audience, nor another's audience as an id", async () => {
    const { backend } = subject()
    await register(backend, aClient('owner', { resourceAudiences: ['owned'] }))
    const insert = (id: string, audience: string) =>
      inTransaction(backend, (stores) => stores.clients.insert(aClient(id, { resourceAudiences: [audience] }), change))
    expect(await insert('thief', 'owner')).toBe(false)
    expect(await insert('owned', 'other')).toBe(false)
    expect(await insert('Owned', 'Owner')).toBe(true)
  })

  test('are found as the owners of audiences', async () => {
    const { backend } = subject()
    await register(backend, aClient('answers', { resourceAudiences: ['api'] }))
    const owners = await backend.reads.clients.audienceOwners(context(), ['api', 'answers', 'nobody'])
    expect([...owners].sort()).toEqual([
      ['answers', 'answers'],
      ['api', 'answers'],
    ])
    expect((await backend.reads.clients.audienceOwners(context(), [])).size).toBe(0)
  })

  test('close their audiences while they are disabled', async () => {
    const { backend } = subject()
    await register(backend, aClient('closing', { resourceAudiences: ['closing-api'] }))
    const areClosed = () =>
      Promise.all(['closing-api', 'closing'].map((each) => backend.reads.clients.isAudienceClosed(context(), each)))
    expect(await areClosed()).toEqual([false, false])
    const enable = (enabled: boolean, version: number) =>
      inTransaction(backend, (stores) => stores.clients.setEnabled(clientId('closing'), enabled, version, change))
    await enable(false, 1)
    expect(await areClosed()).toEqual([true, true])
    await enable(true, 2)
    expect(await areClosed()).toEqual([false, false])
  })

  test('take the audience of a deleted one once in 10 concurrent attempts', async () => {
    const { backend } = subject()
    await register(backend, aClient('left', { resourceAudiences: ['left-api'] }))
    await inTransaction(backend, (stores) => stores.clients.delete(clientId('left'), 1, change))
    const takers = Array.from({ length: 10 }, (_, n) =>
      inTransaction(backend, (stores) =>
        stores.clients.insert(aClient(`taker-${n}`, { resourceAudiences: ['left-api'] }), change),
      ),
    )
    expect((await Promise.all(takers)).filter(Boolean)).toHaveLength(1)
  })

  test('are updated only under their current version, including audiences', async () => {
    const { backend } = subject()
    await register(backend, aClient('updated', { resourceAudiences: ['one', 'two'] }))
    const later = { at: epochMs(NOW + 5), by: 'someone' }
    const next = aClient('updated', { displayName: 'New', scopes: [], resourceAudiences: ['two', 'three'] })
    const update = (version: number) => inTransaction(backend, (stores) => stores.clients.update(next, version, later))
    expect(await update(2)).toBe(false)
    expect(await update(1)).toBe(true)
    expect(await update(1)).toBe(false)
    const found = await find('updated')
    expect(found).toMatchObject({ displayName: 'New', scopes: [], version: 2, updatedBy: 'someone', createdAt: NOW })
    expect(found?.resourceAudiences.toSorted()).toEqual(['three', 'two'])
    expect((await backend.reads.clients.audienceOwners(context(), ['one'])).size).toBe(0)
  })

  test('are not updated when an audience belongs to another client', async () => {
    const { backend } = subject()
    await register(backend, aClient('holder', { resourceAudiences: ['held'] }), aClient('greedy'))
    const greedy = aClient('greedy', { displayName: 'Changed', resourceAudiences: ['held'] })
    expect(await inTransaction(backend, (stores) => stores.clients.update(greedy, 1, change))).toBe(false)
    expect(await find('greedy')).toMatchObject({ displayName: 'Client greedy', version: 1, resourceAudiences: [] })
  })

  test('are changed once in 20 concurrent changes of one version', async () => {
    const { backend } = subject()
    await register(backend, aClient('raced'))
    const attempts = Array.from({ length: 20 }, () =>
      inTransaction(backend, (stores) => stores.clients.setEnabled(clientId('raced'), false, 1, change)),
    )
    expect((await Promise.all(attempts)).filter(Boolean)).toHaveLength(1)
    expect(await find('raced')).toMatchObject({ enabled: false, version: 2 })
  })

  test('count each of 20 concurrent starts of a token generation', async () => {
    const { backend } = subject()
    await register(backend, aClient('generations'))
    const start = (id: string) =>
      inTransaction(backend, (stores) => stores.clients.startTokenGeneration(clientId(id), change))
    expect(await Promise.all(Array.from({ length: 20 }, () => start('generations')))).not.toContain(false)
    expect((await find('generations'))?.tokenGeneration).toBe(21)
    expect(await start('no-such-client')).toBe(false)
  })

  test('that are deleted leave only their reserved ids, and their tokens are inactive', async () => {
    const { backend, database } = subject()
    await register(backend, aClient('deleted', { resourceAudiences: ['freed'] }))
    await inTransaction(backend, (stores) => stores.clientSecrets.insert(aSecret('deleted')))
    const token = aToken('deleted')
    await mint(backend, token)
    const remove = (version: number) =>
      inTransaction(backend, (stores) => stores.clients.delete(clientId('deleted'), version, change))
    expect(await remove(9)).toBe(false)
    expect(await remove(1)).toBe(true)
    expect(await remove(2)).toBe(false)

    expect(await find('deleted')).toBeNull()
    expect(await backend.reads.clients.isReserved(context(), clientId('deleted'))).toBe(true)
    expect(await backend.reads.clients.isReserved(context(), clientId('never-was'))).toBe(false)
    expect(await backend.reads.clientSecrets.ofClient(context(), clientId('deleted'))).toEqual([])
    const owners = await backend.reads.clients.audienceOwners(context(), ['deleted', 'freed'])
    expect([...owners]).toEqual([['deleted', 'deleted']])
    const isClosed = (audience: string) => backend.reads.clients.isAudienceClosed(context(), audience)
    expect(await Promise.all(['deleted', 'freed', 'never-owned'].map(isClosed))).toEqual([true, true, false])
    await register(backend, aClient('next', { resourceAudiences: ['freed'] }))
    expect([...(await backend.reads.clients.audienceOwners(context(), ['freed']))]).toEqual([['freed', 'next']])
    expect(await isClosed('freed')).toBe(false)
    const standing = await backend.reads.accessTokens.findByHash(context(), token.hash)
    expect(standing?.client.active).toBe(false)
    expect(await inTransaction(backend, (stores) => stores.clients.insert(aClient('deleted'), change))).toBe(false)
    const rows = await database.query("select * from oauth_clients where client_id = 'deleted'")
    expect(JSON.stringify(rows)).not.toContain('Client deleted')
    expect(JSON.stringify(rows)).not.toContain('app.example')
  })

  test('are locked by one transaction at a time, and not changed by the lock', async () => {
    const { backend } = subject()
    await register(backend, aClient('locked'))
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 8 }, () =>
        inTransaction(backend, async (stores) => {
          expect(await stores.clients.lock(clientId('locked'))).toBe(true)
          inside += 1
          most = Math.max(most, inside)
          await stores.clients.find(context(), clientId('locked'))
          inside -= 1
        }),
      ),
    )
    expect(most).toBe(1)
    expect(await find('locked')).toMatchObject({ version: 1, updatedAt: NOW })
    expect(await inTransaction(backend, (stores) => stores.clients.lock(clientId('nobody')))).toBe(false)
  })

  test('are listed in pages, in byte order of their ids, with filters', async () => {
    const { backend } = subject()
    const ids = ['page-B', 'page-a', 'page-b', 'page_c', 'pageX', 'page-A']
    for (const id of ids) {
      await register(backend, aClient(id, { resourceAudiences: [`${id}/1`, `${id}/2`, `${id}/3`] }))
    }
    await inTransaction(backend, (stores) => stores.clients.setEnabled(clientId('page-b'), false, 1, change))
    const list = async (filter: Partial<ClientFilter>, after: string | null = null, limit = 50) => {
      const page = { after: after === null ? null : clientId(after), limit }
      const clients = await backend.reads.clients.page(context(), { ...anyClient, ...filter }, page)
      return clients.map((client) => String(client.clientId))
    }
    expect(await list({ idPrefix: 'page' })).toEqual(['page-A', 'page-B', 'page-a', 'page-b', 'pageX', 'page_c'])
    expect(await list({ idPrefix: 'page-' }, null, 2)).toEqual(['page-A', 'page-B'])
    expect(await list({ idPrefix: 'page-' }, 'page-B', 2)).toEqual(['page-a', 'page-b'])
    expect(await list({ idPrefix: 'page-', enabled: false })).toEqual(['page-b'])
    expect(await list({ idPrefix: 'page', type: 'public' })).toEqual([])
    // A wildcard of a LIKE pattern.
    expect(await list({ idPrefix: 'page_' })).toEqual(['page_c'])
    expect(await list({ idPrefix: '%' })).toEqual([])
    expect(await list({}, null, 1_000)).not.toContain('deleted')
  })

  test('are found by 1,000 concurrent look-ups', async () => {
    await register(subject().backend, aClient('popular'))
    const found = await Promise.all(Array.from({ length: 1_000 }, (_, n) => find(n % 2 === 0 ? 'popular' : `no-${n}`)))
    expect(found.filter((client) => client !== null)).toHaveLength(500)
  })
}
