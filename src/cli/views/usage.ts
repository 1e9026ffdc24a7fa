import type { ClientUsage } from '../../gen/qscope/v1/usage_service_pb.ts'
import { listText, timeText, type View } from '../output/output.ts'

const dayText = ({ day }: ClientUsage) => timeText(day).slice(0, 10)
const scopesText = ({ scopes }: ClientUsage, of: 'asked' | 'granted') =>
  listText(scopes.filter((scope) => scope[of] > 0n).map((scope) => `${scope.scope}=${scope[of]}`))

export const usageView: View<ClientUsage> = {
  name: ({ clientId }) => clientId,
  columns: [
    { heading: 'DAY', value: dayText, whole: true },
    { heading: 'CLIENT', value: ({ clientId }) => clientId },
    { heading: 'GRANTED', value: (usage) => scopesText(usage, 'granted') },
    { heading: 'ASKED OF USERS', value: (usage) => scopesText(usage, 'asked'), wide: true },
    { heading: 'NEVER USED', value: ({ neverUsedScopes }) => listText(neverUsedScopes) },
  ],
  pairs: (usage) => [
    ['day', dayText(usage)],
    ['client', usage.clientId],
    ['granted', scopesText(usage, 'granted')],
    ['asked of users', scopesText(usage, 'asked')],
    ['never used', listText(usage.neverUsedScopes)],
  ],
}
