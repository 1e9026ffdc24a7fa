import { userId } from '../../domain/ids.ts'
import type { User } from '../../domain/user.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import {
  deactivateUser,
  deleteUser,
  getUser,
  listUsers,
  reactivateUser,
  registerUser,
} from '../../flows/users/manage-users.ts'
import type { UserService } from '../../gen/qscope/v1/user_service_pb.ts'
import { mapResult, type Result } from '../../results.ts'
import { fromUserReference, toUser } from '../convert/user.ts'
import type { ServiceHandlers } from '../routes.ts'

export function userHandlers(runner: FlowRunner): ServiceHandlers<typeof UserService> {
  const named = (request: { readonly userId: string }) => ({
    userReference: { kind: 'user', userId: userId(request.userId) } as const,
  })
  const answer = (result: Result<User>) => mapResult(result, (user) => ({ user: toUser(user) }))

  return {
    async registerUser(ctx, { externalId }) {
      return answer(
        await runner.execute(registerUser, ctx, {
          userReference: { kind: 'external', externalId, field: 'external_id' },
        }),
      )
    },
    async getUser(ctx, request) {
      return answer(await runner.query(getUser, ctx, { userReference: fromUserReference(request, 'external_id') }))
    },
    async listUsers(ctx, { pageSize, pageToken, active }) {
      const listed = await runner.query(listUsers, ctx, { filter: { active: active ?? null }, pageSize, pageToken })
      return mapResult(listed, ({ items, nextPageToken }) => ({ users: items.map(toUser), nextPageToken }))
    },
    async deactivateUser(ctx, request) {
      return answer(await runner.execute(deactivateUser, ctx, named(request)))
    },
    async reactivateUser(ctx, request) {
      return answer(await runner.execute(reactivateUser, ctx, named(request)))
    },
    async deleteUser(ctx, request) {
      return mapResult(await runner.execute(deleteUser, ctx, named(request)), () => ({}))
    },
  }
}
