import { SigningAlgorithmSchema, type SigningKey, SigningKeyStateSchema } from '../../gen/qscope/v1/key_service_pb.ts'
import { nameOf } from '../options/options.ts'
import { type State, state } from '../output/cell.ts'
import { timeText, type View } from '../output/output.ts'

export const signingKeyView: View<SigningKey> = {
  name: ({ keyId }) => keyId,
  columns: [
    { heading: 'KEY ID', value: ({ keyId }) => keyId, whole: true },
    { heading: 'ALGORITHM', value: algorithmOf },
    { heading: 'STATE', value: stateOf },
    { heading: 'PREPARED', value: ({ prepareTime }) => prepareTime },
    { heading: 'ACTIVATED', value: ({ activateTime }) => activateTime, wide: true },
    { heading: 'RETIRED', value: ({ retireTime }) => retireTime, wide: true },
    { heading: 'REVOKED', value: ({ revokeTime }) => revokeTime, wide: true },
  ],
  pairs: (key) => [
    ['key id', key.keyId],
    ['algorithm', algorithmOf(key)],
    ['state', stateOf(key)],
    ['prepared', `${timeText(key.prepareTime)} by ${key.preparedBy}`],
    ['may sign from', key.earliestActivateTime],
    ['activated', key.activateTime],
    ['retired', key.retireTime],
    ['in the key set until', key.lastTokenExpireTime],
    ['revoked', key.revokeTime],
  ],
}

function algorithmOf({ algorithm }: SigningKey): string {
  return nameOf(SigningAlgorithmSchema, algorithm)
}

function stateOf(key: SigningKey): State {
  return state(nameOf(SigningKeyStateSchema, key.state))
}
