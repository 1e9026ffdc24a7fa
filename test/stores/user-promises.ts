import { expect, test } from 'vitest'
import { epochMs, type UserId, userId } from '../../src/domain/ids.ts'
import type { Change } from '../../src/stores/contract/context.ts'
import type { Subject } from './contract.ts'
import { aUser, change, context, enroll, inTransaction, NOW, winners } from './given.ts'

export function userPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.users
  const later: Change = { at: epochMs(NOW + 5), by: 'someone' }
  const setActive = (id: UserId, active: boolean) =>
    inTransaction(subject().backend, (stores) => stores.users.setActive(id, active, later))

  test('are found unchanged by id and by external id', async () => {
    const user = await enroll(subject().backend, aUser({ externalId: 'Ärger <1>' }))
    expect(await reads().find(context(), user.userId)).toEqual(user)
    expect(await reads().findByExternalId(context(), 'Ärger <1>')).toEqual(user)
    expect(await reads().findByExternalId(context(), 'ärger <1>')).toBeNull()
    expect(await reads().findByExternalId(context(), 'Ärger <1> ')).toBeNull()
    expect(await reads().find(context(), userId('nobody'))).toBeNull()
    expect(Object.isFrozen(await reads().find(context(), user.userId))).toBe(true)
  })

  test('are registered once under an external id in 20 concurrent attempts', async () => {
    const { backend } = subject()
    expect(await winners(backend, 20, (stores) => stores.users.insert(aUser({ externalId: 'contested' })))).toBe(1)
    expect(await reads().findByExternalId(context(), 'contested')).not.toBeNull()
  })

  test('are deactivated and reactivated once each', async () => {
    const { backend } = subject()
    const { userId: id } = await enroll(backend, aUser())
    expect(await setActive(id, true)).toBe(false)
    expect(await winners(backend, 10, (stores) => stores.users.setActive(id, false, later))).toBe(1)
    expect(await reads().find(context(), id)).toMatchObject({ active: false, updatedAt: later.at, updatedBy: later.by })
    expect(await setActive(id, false)).toBe(false)
    expect(await setActive(id, true)).toBe(true)
    expect(await setActive(userId('nobody'), true)).toBe(false)
  })

  test('count each of 10 concurrent starts of a token generation', async () => {
    const { backend } = subject()
    const { userId: id } = await enroll(backend, aUser())
    expect(await winners(backend, 10, (stores) => stores.users.startTokenGeneration(id, change))).toBe(10)
    expect((await reads().find(context(), id))?.tokenGeneration).toBe(11)
    expect(await inTransaction(backend, (stores) => stores.users.startTokenGeneration(userId('nobody'), change))).toBe(
      false,
    )
  })

  test('are deleted once in 10 concurrent attempts, and free their external ids', async () => {
    const { backend, database } = subject()
    const user = await enroll(backend, aUser({ externalId: 'again' }))
    expect(await winners(backend, 10, (stores) => stores.users.delete(user.userId, change))).toBe(1)
    expect(await reads().find(context(), user.userId)).toBeNull()
    expect(await reads().findByExternalId(context(), 'again')).toBeNull()
    expect(await setActive(user.userId, true)).toBe(false)
    const next = await enroll(backend, aUser({ externalId: 'again' }))
    expect(await reads().findByExternalId(context(), 'again')).toEqual(next)
    const rows = await database.query(`select * from oauth_users where user_id = '${user.userId}'`)
    expect(JSON.stringify(rows)).not.toContain('again')
  })

  test('are listed in pages, the last registered first, without deleted ones', async () => {
    const { backend } = subject()
    const users = [aUser(), aUser(), aUser(), aUser()] as const
    await enroll(backend, ...users)
    const [a, b, c, d] = users.map((user) => user.userId)
    await setActive(users[1].userId, false)
    await inTransaction(backend, (stores) => stores.users.delete(users[2].userId, change))
    const list = async (active: boolean | null, after: UserId | undefined, limit: number) =>
      (await reads().page(context(), { active, owner: null }, { after: after ?? null, limit })).map(
        (user) => user.userId,
      )
    expect(await list(null, undefined, 3)).toEqual([d, b, a])
    expect(await list(null, d, 1)).toEqual([b])
    expect(await list(true, undefined, 2)).toEqual([d, a])
    expect(await list(false, undefined, 1)).toEqual([b])
    expect(await list(null, undefined, 1_000)).not.toContain(c)
  })

  test('are adopted by an owner once in 10 concurrent attempts, and are listed by it', async () => {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    await enroll(backend, aUser({ owner: 'team-b' }))
    const takeOn = (owner: string) =>
      winners(backend, 10, (stores) => stores.users.setOwner(user.userId, owner, later, user.updatedAt))
    expect(await takeOn('team-a')).toBe(1)
    expect(await reads().find(context(), user.userId)).toMatchObject({ owner: 'team-a', updatedAt: later.at })
    expect(await takeOn('team-a')).toBe(0)
    const listed = await reads().page(context(), { active: null, owner: 'team-a' }, { after: null, limit: 10 })
    expect(listed.map(({ userId: id }) => id)).toEqual([user.userId])
  })

  test('are changed only if they did not change since, and their update time always increases', async () => {
    const { backend } = subject()
    const { userId: id, updatedAt } = await enroll(backend, aUser())
    const since = epochMs(updatedAt - 1)
    const attempt = async (work: Parameters<typeof inTransaction<boolean>>[1]) => await inTransaction(backend, work)
    expect(await attempt((stores) => stores.users.setActive(id, false, change, since))).toBe(false)
    expect(await attempt((stores) => stores.users.delete(id, change, since))).toBe(false)
    expect(await attempt((stores) => stores.users.setActive(id, false, change, updatedAt))).toBe(true)
    expect((await reads().find(context(), id))?.updatedAt).toBe(updatedAt + 1)
    expect(await attempt((stores) => stores.users.startTokenGeneration(id, change))).toBe(true)
    expect((await reads().find(context(), id))?.updatedAt).toBe(updatedAt + 2)
    expect(await attempt((stores) => stores.users.delete(id, change, epochMs(updatedAt + 2)))).toBe(true)
  })
}
