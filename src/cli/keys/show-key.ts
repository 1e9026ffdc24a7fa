import { SigningAlgorithmSchema, type SigningKey, SigningKeyStateSchema } from '../../gen/qscope/v1/key_service_pb.ts'
import { nameOf } from '../options.ts'
import type { Output } from '../output.ts'
import { time } from '../show.ts'
import { keyValues } from '../table.ts'

/** Everything about a signing key, for people. */
export function showKey(key: SigningKey | undefined, output: Output): string {
  if (key === undefined) return ''
  const when = (moment: SigningKey['prepareTime']) => (moment === undefined ? null : time(moment))
  return keyValues(
    [
      ['key id', key.keyId],
      ['algorithm', nameOf(SigningAlgorithmSchema, key.algorithm)],
      ['state', nameOf(SigningKeyStateSchema, key.state)],
      ['prepared', `${time(key.prepareTime)} by ${key.preparedBy}`],
      ['may sign from', when(key.earliestActivateTime)],
      ['activated', when(key.activateTime)],
      ['retired', when(key.retireTime)],
      ['in the key set until', when(key.lastTokenExpireTime)],
      ['revoked', when(key.revokeTime)],
    ],
    output.bold,
  )
}
