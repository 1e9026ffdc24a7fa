import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  earliestActivation,
  type SigningAlgorithm,
  type SigningKey,
  type SigningKeyState,
} from '../../domain/signing-key.ts'
import type { PublishedKey } from '../../flows/keys/manage-signing-keys.ts'
import type { JsonWebKeySchema } from '../../gen/qscope/v1/json_web_key_pb.ts'
import {
  SigningAlgorithm as AlgorithmMessage,
  type SigningKeySchema,
  SigningKeyState as StateMessage,
} from '../../gen/qscope/v1/key_service_pb.ts'
import { toTimestamp } from './time.ts'

const ALGORITHMS = Object.freeze({
  ES256: AlgorithmMessage.ES256,
  EdDSA: AlgorithmMessage.EDDSA,
  RS256: AlgorithmMessage.RS256,
} satisfies Record<SigningAlgorithm, AlgorithmMessage>)

const STATES = Object.freeze({
  prepared: StateMessage.PREPARED,
  active: StateMessage.ACTIVE,
  retired: StateMessage.RETIRED,
  revoked: StateMessage.REVOKED,
} satisfies Record<SigningKeyState, StateMessage>)

/** `null`: not set. */
export function fromSigningAlgorithm(message: AlgorithmMessage): SigningAlgorithm | null {
  return keyOf(ALGORITHMS, message)
}

/** `null`: not set. */
export function fromSigningKeyState(message: StateMessage | undefined): SigningKeyState | null {
  return keyOf(STATES, message)
}

function keyOf<Key extends string, Value>(table: Readonly<Record<Key, Value>>, value: Value | undefined): Key | null {
  // `satisfies` has compared the keys of the table with their type.
  return (Object.keys(table) as Key[]).find((key) => table[key] === value) ?? null
}

/** RFC 7517 §4: for verification only, whatever the state of the key. */
function toJsonWebKey({
  keyId,
  algorithm,
  publicJwk: { kty = '', ...members },
}: Pick<SigningKey, 'keyId' | 'algorithm' | 'publicJwk'>): MessageInitShape<typeof JsonWebKeySchema> {
  return { kty, use: 'sig', alg: algorithm, kid: keyId, ...members }
}

/** The key in the key set, with the revocation key that shows whether it was revoked. */
export function toPublishedKey({ key, revocationKey }: PublishedKey): MessageInitShape<typeof JsonWebKeySchema> {
  return { ...toJsonWebKey(key), rvk: revocationKey.toString('base64url') }
}

export function toSigningKey(key: SigningKey): MessageInitShape<typeof SigningKeySchema> {
  return {
    keyId: key.keyId,
    algorithm: ALGORITHMS[key.algorithm],
    state: STATES[key.state],
    publicKey: toJsonWebKey(key),
    prepareTime: toTimestamp(key.preparedAt),
    preparedBy: key.preparedBy,
    ...(key.state === 'prepared' && { earliestActivateTime: toTimestamp(earliestActivation(key)) }),
    ...(key.activatedAt !== null && { activateTime: toTimestamp(key.activatedAt) }),
    ...(key.retiredAt !== null && { retireTime: toTimestamp(key.retiredAt) }),
    ...(key.tokensUntil !== null && { lastTokenExpireTime: toTimestamp(key.tokensUntil) }),
    ...(key.revokedAt !== null && { revokeTime: toTimestamp(key.revokedAt) }),
  }
}
