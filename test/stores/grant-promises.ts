import { beforeAll, expect, test } from 'vitest'
import { isGrantActive } from '../../src/domain/grant.ts'
import { clientId, epochMs, grantId } from '../../src/domain/ids.ts'
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

  test('are found as they were stored, with the standing of both parties', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const grant = aGrant('g-one', user, { scopes: [], audiences: ['ü', 'a b'], userGeneration: 7 })
    await consent(backend, grant)
    const party = { active: true, tokenGeneration: 1 }
    expect(await find(grant.grantId)).toEqual({ grant, client: party, user: party })
    expect(Object.isFrozen((await find(grant.grantId))?.grant)).toBe(true)
    expect(await find(grantId('none'))).toBeNull()
  })

  test('lose their standing with either party', async () => {
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

  test('are revoked once, of 50 concurrent attempts', async () => {
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

  test('that are held make others wait, and are kept at least as long as asked', async () => {
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

  test('cannot be held once revoked, nor if there is none', async () => {
    const { backend } = subject()
    const grant = aGrant('g-one', await enroll(backend, aUser()))
    await consent(backend, grant)
    await inTransaction(backend, (stores) => stores.grants.revoke(grant, 'test', change))
    const lock = (id: typeof grant.grantId) => inTransaction(backend, (stores) => stores.grants.lock(id, NOW))
    expect(await lock(grant.grantId)).toBe(false)
    expect(await lock(grantId('none'))).toBe(false)
  })
}
