import { beforeAll, expect, test } from 'vitest'
import { isGrantActive } from '../../src/domain/grant.ts'
import { clientId, epochMs, type GrantId, grantId } from '../../src/domain/ids.ts'
import type { GrantFilter } from '../../src/stores/contract/grants.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aGrant,
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

export function grantPromises(subject: () => Subject): void {
  const find = (id: ReturnType<typeof aGrant>['grantId']) => subject().backend.reads.grants.find(context(), id)
  beforeAll(() => register(subject().backend, aClient('g-one'), aClient('g-off'), aClient('g-renewed')))

  test('are found unchanged, with the state of both parties', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const grant = aGrant('g-one', user, { scopes: [], audiences: ['ü', 'a b'], userGeneration: 7 })
    await consent(backend, grant)
    const party = { active: true, tokenGeneration: 1 }
    expect(await find(grant.grantId)).toEqual({ grant, client: party, user: party })
    expect(Object.isFrozen((await find(grant.grantId))?.grant)).toBe(true)
    expect(await find(grantId('none'))).toBeNull()
  })

  test('are inactive without an active client and user', async () => {
    const { backend } = subject()
    const [user, idle, gone, renewed] = [aUser(), aUser(), aUser(), aUser()]
    await enroll(backend, user, idle, gone, renewed)
    const fallen = [
      aGrant('g-off', user),
      aGrant('g-renewed', user),
      aGrant('g-one', idle),
      aGrant('g-one', gone),
      aGrant('g-one', renewed),
    ]
    const standing = aGrant('g-one', user)
    await consent(backend, ...fallen, standing)
    await inTransaction(backend, async (stores) => {
      await stores.clients.setEnabled(clientId('g-off'), false, 1, change)
      await stores.clients.startTokenGeneration(clientId('g-renewed'), change)
      await stores.users.setActive(idle.userId, false, change)
      await stores.users.delete(gone.userId, change)
      await stores.users.startTokenGeneration(renewed.userId, change)
    })
    const active = await Promise.all(
      [...fallen, standing].map(async (grant) => {
        const found = await find(grant.grantId)
        return found !== null && isGrantActive(found, NOW)
      }),
    )
    expect(active).toEqual([false, false, false, false, false, true])
  })

  test('are listed in pages, newest first, by client and by user, without those of deleted clients', async () => {
    const { backend } = subject()
    await register(backend, aClient('g-list'), aClient('g-gone'))
    const [a, b] = [aUser(), aUser()]
    await enroll(backend, a, b)
    const listed = [a, b, a, b].map((user) => aGrant('g-list', user))
    const orphan = aGrant('g-gone', a)
    for (const grant of [...listed, orphan]) await consent(backend, grant)
    await inTransaction(backend, (stores) => stores.clients.delete(clientId('g-gone'), 1, change))
    const ids = listed.map(({ grantId }) => grantId).toReversed()
    const list = async (filter: Partial<GrantFilter>, after: GrantId | undefined, limit: number) => {
      const page = { after: after ?? null, limit }
      const whole = { clientId: null, userId: null, activeAt: null, ...filter }
      return (await backend.reads.grants.page(context(), whole, page)).map(({ grant }) => grant.grantId)
    }
    const mine = { clientId: clientId('g-list') }
    expect(await list(mine, undefined, 50)).toEqual(ids)
    expect(await list(mine, ids[0], 2)).toEqual(ids.slice(1, 3))
    expect(await list({ ...mine, userId: a.userId }, undefined, 50)).toEqual([ids[1], ids[3]])
    expect(await list({}, undefined, 1_000)).not.toContain(orphan.grantId)
  })

  test('are listed as active if and only if they are', async () => {
    const { backend } = subject()
    await register(backend, aClient('g-live'), aClient('g-shut'))
    const [user, idle] = [aUser(), aUser()]
    await enroll(backend, user, idle)
    const at = epochMs(NOW + 1_000)
    const revoked = aGrant('g-live', user)
    const ended = aGrant('g-live', user, { expiresAt: at })
    const old = aGrant('g-live', user, { userGeneration: 0 })
    const live = aGrant('g-live', user, { expiresAt: epochMs(at + 1) })
    const all = [revoked, ended, old, live, aGrant('g-live', idle), aGrant('g-shut', user)]
    await consent(backend, ...all)
    await inTransaction(backend, async (stores) => {
      await stores.grants.revoke(revoked, 'test', change)
      await stores.users.setActive(idle.userId, false, change)
      await stores.clients.setEnabled(clientId('g-shut'), false, 1, change)
    })
    const ids = new Set(all.map(({ grantId }) => grantId))
    const filter = { clientId: null, userId: null }
    const page = { after: null, limit: 1_000 }
    const listed = await backend.reads.grants.page(context(), { ...filter, activeAt: at }, page)
    expect(listed.map(({ grant }) => grant.grantId).filter((id) => ids.has(id))).toEqual([live.grantId])
    expect(listed.every((status) => isGrantActive(status, at))).toBe(true)
  })

  test('are revoked once in 50 concurrent attempts', async () => {
    const { backend } = subject()
    const grant = aGrant('g-one', await enroll(backend, aUser()))
    await consent(backend, grant)
    const at = epochMs(NOW + 5)
    expect(await winners(backend, 50, (stores) => stores.grants.revoke(grant, 'test', { at, by: 'me' }))).toBe(1)
    expect((await find(grant.grantId))?.grant.revokedAt).toBe(at)
    expect(
      await inTransaction(backend, (stores) =>
        stores.grants.revoke({ grantId: grantId('no'), expiresAt: NOW }, 'x', change),
      ),
    ).toBe(false)
  })

  test('are locked by one transaction at a time, and kept at least as long as requested', async () => {
    const { backend } = subject()
    const grant = aGrant('g-one', await enroll(backend, aUser()))
    await consent(backend, grant)
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        inTransaction(backend, async (stores) => {
          expect(await stores.grants.lock(grant.grantId, epochMs(grant.tokensUntil + n * 10))).toBe(true)
          inside += 1
          most = Math.max(most, inside)
          await stores.grants.find(context(), grant.grantId)
          inside -= 1
        }),
      ),
    )
    expect(most).toBe(1)
    expect((await find(grant.grantId))?.grant).toEqual({ ...grant, tokensUntil: grant.tokensUntil + 70 })
  })

  test('cannot be locked if they are revoked or do not exist', async () => {
    const { backend } = subject()
    const grant = aGrant('g-one', await enroll(backend, aUser()))
    await consent(backend, grant)
    await inTransaction(backend, (stores) => stores.grants.revoke(grant, 'test', change))
    const lock = (id: typeof grant.grantId) => inTransaction(backend, (stores) => stores.grants.lock(id, NOW))
    expect(await lock(grant.grantId)).toBe(false)
    expect(await lock(grantId('none'))).toBe(false)
  })
}
