import type { CallContext } from '../../context.ts'
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
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'

type Methods = typeof UserService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export class UserHandlers implements ServiceHandlers<typeof UserService> {
  readonly #runner: FlowRunner

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  async registerUser(ctx: CallContext, { externalId }: Request<'registerUser'>): Answer<'registerUser'> {
    return answer(
      await this.#runner.execute(registerUser, ctx, {
        userReference: { kind: 'external', externalId, field: 'external_id' },
      }),
    )
  }

  async getUser(ctx: CallContext, request: Request<'getUser'>): Answer<'getUser'> {
    return answer(await this.#runner.query(getUser, ctx, { userReference: fromUserReference(request, 'external_id') }))
  }

  async listUsers(ctx: CallContext, { pageSize, pageToken, active }: Request<'listUsers'>): Answer<'listUsers'> {
    const listed = await this.#runner.query(listUsers, ctx, {
      filter: { active: active ?? null },
      pageSize,
      pageToken,
    })
    return mapResult(listed, ({ items, nextPageToken }) => ({ users: items.map(toUser), nextPageToken }))
  }

  async deactivateUser(ctx: CallContext, request: Request<'deactivateUser'>): Answer<'deactivateUser'> {
    return answer(await this.#runner.execute(deactivateUser, ctx, named(request)))
  }

  async reactivateUser(ctx: CallContext, request: Request<'reactivateUser'>): Answer<'reactivateUser'> {
    return answer(await this.#runner.execute(reactivateUser, ctx, named(request)))
  }

  async deleteUser(ctx: CallContext, request: Request<'deleteUser'>): Answer<'deleteUser'> {
    return mapResult(await this.#runner.execute(deleteUser, ctx, named(request)), () => ({}))
  }
}

function named(request: { readonly userId: string }) {
  return { userReference: { kind: 'user', userId: userId(request.userId) } as const }
}

function answer(result: Result<User>) {
  return mapResult(result, (user) => ({ user: toUser(user) }))
}
