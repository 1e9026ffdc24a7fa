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

  async registerUser(ctx: CallContext, request: Request<'registerUser'>): Answer<'registerUser'> {
    const { externalId, owner, adopt, etag, validateOnly, active = true } = request
    const registering = {
      userReference: { kind: 'external', externalId, field: 'external_id' },
      owner: owner || null,
      adopt,
      etag: etag || null,
      active,
    } as const
    if (!validateOnly) return answer(await this.#runner.execute(registerUser, ctx, registering))
    return mapResult(await this.#runner.preview(registerUser, ctx, registering), ({ facts, output }) => ({
      user: facts.userIsNew ? toUnregistered(output) : toUser({ ...output, updatedAt: facts.user.updatedAt }),
    }))
  }

  async getUser(ctx: CallContext, request: Request<'getUser'>): Answer<'getUser'> {
    return answer(await this.#runner.query(getUser, ctx, { userReference: fromUserReference(request, 'external_id') }))
  }

  async listUsers(ctx: CallContext, { pageSize, pageToken, active, owner }: Request<'listUsers'>): Answer<'listUsers'> {
    const listed = await this.#runner.query(listUsers, ctx, {
      filter: { active: active ?? null, owner: owner || null },
      pageSize,
      pageToken,
    })
    return mapResult(listed, ({ items, nextPageToken }) => ({ users: items.map(toUser), nextPageToken }))
  }

  async deactivateUser(ctx: CallContext, request: Request<'deactivateUser'>): Answer<'deactivateUser'> {
    return await this.#switch(deactivateUser, ctx, request)
  }

  async reactivateUser(ctx: CallContext, request: Request<'reactivateUser'>): Answer<'reactivateUser'> {
    return await this.#switch(reactivateUser, ctx, request)
  }

  async deleteUser(ctx: CallContext, request: Request<'deleteUser'>): Answer<'deleteUser'> {
    const user = named(request)
    return mapResult(
      request.validateOnly
        ? await this.#runner.preview(deleteUser, ctx, user)
        : await this.#runner.execute(deleteUser, ctx, user),
      () => ({}),
    )
  }

  /** Changes a user. A dry run returns the result of the change, with the etag that the real call must name. */
  async #switch(
    flow: typeof deactivateUser,
    ctx: CallContext,
    request: Request<'deactivateUser'> | Request<'reactivateUser'>,
  ) {
    const user = named(request)
    if (!request.validateOnly) return answer(await this.#runner.execute(flow, ctx, user))
    return mapResult(await this.#runner.preview(flow, ctx, user), ({ facts, output }) => ({
      user: toUser({ ...output, updatedAt: facts.user.updatedAt }),
    }))
  }
}

function named({ userId: id, etag }: { readonly userId: string; readonly etag: string }) {
  return { userReference: { kind: 'user', userId: userId(id) } as const, etag: etag || null }
}

/** The result of a dry run of a registration, without the values that are created at registration. */
function toUnregistered(user: User) {
  return { ...toUser(user), userId: '', etag: '' }
}

function answer(result: Result<User>) {
  return mapResult(result, (user) => ({ user: toUser(user) }))
}
