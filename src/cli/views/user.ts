import type { User } from '../../gen/qscope/v1/user_pb.ts'
import { state } from '../output/cell.ts'
import { timeText, type View } from '../output/output.ts'

export const userView: View<User> = {
  name: ({ userId }) => userId,
  columns: [
    { heading: 'USER ID', value: ({ userId }) => userId, whole: true },
    { heading: 'EXTERNAL ID', value: ({ externalId }) => externalId },
    { heading: 'STATE', value: ({ active }) => state(active ? 'active' : 'deactivated') },
    { heading: 'REGISTERED', value: ({ createTime }) => createTime },
    { heading: 'BY', value: ({ createdBy }) => createdBy, wide: true },
  ],
  pairs: (user) => [
    ['user id', user.userId],
    ['external id', user.externalId],
    ['state', state(user.active ? 'active' : 'deactivated')],
    ['registered', `${timeText(user.createTime)} by ${user.createdBy}`],
    ['updated', `${timeText(user.updateTime)} by ${user.updatedBy}`],
  ],
}
