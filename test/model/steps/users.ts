import { type Arbitrary, constant, oneof, record } from 'fast-check'
import { expect } from 'vitest'
import type { ErrorCode } from '../../../src/errors/registry.ts'
import { UserService } from '../../../src/gen/qscope/v1/user_service_pb.ts'
import type { MUser } from '../entities.ts'
import { compare, pick, rarely, step, when, which } from '../step.ts'
import type { System } from '../system.ts'
import type { World } from '../world.ts'

const { deactivateUser, deleteUser, getUser, reactivateUser, registerUser } = UserService.method

/** How a call names a user. */
export type UserChoice = { readonly by: 'id' | 'external'; readonly index: number } | { readonly by: 'new' }

export const someUser: Arbitrary<UserChoice> = oneof(
  { arbitrary: record({ by: constant('id' as const), index: which }), weight: 3 },
  { arbitrary: record({ by: constant('external' as const), index: which }), weight: 3 },
  record({ by: constant('new' as const) }),
)

/** The user of a call: an existing one, or an unused external id. */
export function chooseUser(world: World, choice: UserChoice) {
  const user = choice.by === 'new' ? null : pick(world.users, choice.index)
  if (user === null || choice.by === 'new') {
    const externalId = `${world.name}-user-${world.users.length}`
    return { user: null, externalId, reference: { case: 'externalId' as const, value: externalId } }
  }
  if (choice.by === 'id') {
    return { user, externalId: null, reference: { case: 'userId' as const, value: user.userId } }
  }
  const { externalId } = user
  // The external id of a deleted user can be used by another one.
  const holder = world.users.find((each) => each.externalId === externalId && !each.deleted) ?? null
  return { user: holder, externalId, reference: { case: 'externalId' as const, value: externalId } }
}

export type ChosenUser = ReturnType<typeof chooseUser>

/** The errors of a consent of this user. */
export function refusalsFor({ user }: ChosenUser): ErrorCode[] {
  if (user === null) return []
  if (user.deleted) return ['resource.not_found']
  return when(!user.admitted, 'oauth.invalid_grant')
}

/** The user of a consent, registered by it if new. */
export async function userOf(world: World, system: System, { user, externalId }: ChosenUser): Promise<MUser> {
  if (user !== null) return user
  const found = await system.call(getUser, { id: { case: 'externalId', value: externalId ?? '' } })
  const seen = compare(found, [])?.user
  return rememberUser(world, seen?.userId ?? '', externalId ?? '')
}

function rememberUser(world: World, userId: string, externalId: string): MUser {
  expect(world.users.map((user) => user.userId)).not.toContain(userId)
  const user = { userId, externalId, admitted: true, deleted: false, generation: 1 }
  world.users.push(user)
  return user
}

const register = step('registerUser', someUser, async (world, system, choice) => {
  const chosen = chooseUser(world, choice)
  if (chosen.externalId === null) return
  const answer = compare(await system.call(registerUser, { externalId: chosen.externalId }), [])
  const userId = answer?.user?.userId ?? ''
  if (chosen.user === null) rememberUser(world, userId, chosen.externalId)
  else expect(userId).toBe(chosen.user.userId)
})

const deactivate = step('deactivateUser', which, async (world, system, index) => {
  const user = pick(world.users, index)
  if (user === null) return
  const answer = await system.call(deactivateUser, { userId: user.userId })
  if (compare(answer, when(user.deleted, 'resource.not_found')) !== null) user.admitted = false
})

const reactivate = step('reactivateUser', which, async (world, system, index) => {
  const out = world.users.filter(({ admitted }) => !admitted)
  const user = pick(out.length > 0 ? out : world.users, index)
  if (user === null) return
  const answer = await system.call(reactivateUser, { userId: user.userId })
  if (compare(answer, when(user.deleted, 'resource.not_found')) !== null) user.admitted = true
})

const remove = step('deleteUser', record({ index: which, sure: rarely }), async (world, system, { index, sure }) => {
  const user = pick(world.users, index)
  if (user === null || !sure) return
  const answer = await system.call(deleteUser, { userId: user.userId })
  if (compare(answer, when(user.deleted, 'resource.not_found')) !== null) user.deleted = true
})

const look = step('getUser', which, async (world, system, index) => {
  const user = pick(world.users, index)
  if (user === null) return
  const answer = await system.call(getUser, { id: { case: 'userId', value: user.userId } })
  const seen = compare(answer, when(user.deleted, 'resource.not_found'))
  if (seen === null) return
  expect(seen.user).toMatchObject({ externalId: user.externalId, active: user.admitted })
})

export const userSteps = [register, deactivate, reactivate, reactivate, remove, look]
