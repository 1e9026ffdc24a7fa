import type { MessageInitShape } from '@bufbuild/protobuf'
import { userId } from '../../domain/ids.ts'
import { etagOfUser, type User } from '../../domain/user.ts'
import type { UserReference } from '../../flows/conditions/user.ts'
import type { UserReference as UserReferenceMessage, UserSchema } from '../../gen/qscope/v1/user_pb.ts'
import { toTimestamp } from './time.ts'

/** Validation has checked that one of the ids is set. `field` is the path of the external id in the request. */
export function fromUserReference(
  message: Pick<UserReferenceMessage, 'id'> | undefined,
  field = 'user.external_id',
): UserReference {
  return message?.id.case === 'userId'
    ? { kind: 'user', userId: userId(message.id.value) }
    : { kind: 'external', externalId: message?.id.value ?? '', field }
}

export function toUser(user: User): MessageInitShape<typeof UserSchema> {
  return {
    userId: user.userId,
    externalId: user.externalId,
    active: user.active,
    createTime: toTimestamp(user.createdAt),
    createdBy: user.createdBy,
    updateTime: toTimestamp(user.updatedAt),
    updatedBy: user.updatedBy,
    owner: user.owner ?? '',
    etag: etagOfUser(user),
  }
}
