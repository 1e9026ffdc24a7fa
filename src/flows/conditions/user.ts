import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { type UserId, userId } from '../../domain/ids.ts'
import { HOLDS_SECRET, holdsSecret } from '../../domain/secret-text.ts'
import { etagOfUser, type User } from '../../domain/user.ts'
import { fail, HOLDS, invalidRequest, success } from '../../results.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

/** A user by either id. */
export type UserReference =
  | { readonly kind: 'user'; readonly userId: UserId }
  /** `field`: its place in the request. */
  | { readonly kind: 'external'; readonly externalId: string; readonly field: string }

export type ReferredUser = { readonly userReference: UserReference }

/** The user, or `null`. */
async function lookUpUser(ctx: FlowContext, reference: UserReference): Promise<User | null> {
  return reference.kind === 'user'
    ? await ctx.stores.users.find(ctx, reference.userId)
    : await ctx.stores.users.findByExternalId(ctx, reference.externalId)
}

/** A management call names an existing user. */
export const userExists = condition<ReferredUser, { readonly user: User }>(
  'userExists',
  async (ctx, { userReference }) => {
    const user = await lookUpUser(ctx, userReference)
    return user === null ? notFound(userReference) : success({ user })
  },
)

/** Adds the user. A user with a new external id is drafted, and is registered together with the decision. */
export const userIsKnownOrNew = condition<ReferredUser, { readonly user: User; readonly userIsNew: boolean }>(
  'userIsKnownOrNew',
  async (ctx, { userReference }) => {
    const user = await lookUpUser(ctx, userReference)
    if (user !== null) return success({ user, userIsNew: false })
    if (userReference.kind === 'user') return notFound(userReference)
    const { externalId, field } = userReference
    if (holdsSecret(externalId)) {
      return invalidRequest(field, HOLDS_SECRET)
    }
    return success({ user: draftUser(ctx, externalId), userIsNew: true })
  },
)

/** AIP-154: the user is unchanged since it was read. An etag of `null` matches any version. */
export const userEtagIsCurrent = condition<{ readonly user: User; readonly etag: string | null }>(
  'userEtagIsCurrent',
  (_ctx, { user, etag }) =>
    etag === null || etag === etagOfUser(user) ? HOLDS : fail('resource.conflict', { because: 'etag' }),
)

/** No decision can be made for a deactivated user. */
export const userIsActive = condition<{ readonly user: User }>('userIsActive', (_ctx, { user }) =>
  user.active ? HOLDS : fail('oauth.invalid_grant'),
)

function notFound(reference: UserReference) {
  const name = reference.kind === 'user' ? reference.userId : reference.externalId
  return fail('resource.not_found', { resource: { type: 'user', name } })
}

/** A user as it will be read back. */
function draftUser(ctx: FlowContext, externalId: string): User {
  const by = actorOf(ctx)
  return Object.freeze({
    userId: userId(uuidV7()),
    externalId,
    active: true,
    tokenGeneration: 1,
    owner: null,
    createdAt: ctx.now,
    createdBy: by,
    updatedAt: ctx.now,
    updatedBy: by,
  })
}
