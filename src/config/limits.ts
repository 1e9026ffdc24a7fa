import type { Read } from './connections.ts'
import { formatRate, type Rate } from './rate.ts'
import { SCHEMAS } from './schemas.ts'
import { VARIABLES, type VariableName } from './variables.ts'

/** What clients and addresses may use up, of this process; `null`: as much as they like. */
export interface Limits {
  /** Tokens that a client is issued without a user. */
  readonly mintRate: Rate | null
  readonly maxLiveTokensPerClient: number | null
  /** Failed client authentications, of one address as one client, and in all. */
  readonly authenticationFailuresPerClient: Rate | null
  readonly authenticationFailuresPerPeer: Rate | null
  /** Device authorizations that one address starts for public clients. */
  readonly deviceStartRate: Rate | null
  /** Of one client. */
  readonly maxPendingDeviceAuthorizations: number
  /** Of one public client and address. */
  readonly maxPendingDeviceAuthorizationsPerPeer: number
  readonly maxWatchesPerPeer: number
}

export function readLimits(read: Read): Limits {
  const rate = (name: VariableName, fallback: string) => read(name, SCHEMAS.rate, fallback)
  const count = (name: VariableName, fallback: string) => read(name, SCHEMAS.count, fallback)
  const fallback = <Name extends VariableName>(name: Name): (typeof VARIABLES)[Name]['fallback'] =>
    VARIABLES[name].fallback
  return Object.freeze({
    mintRate: rate('QSCOPE_MINT_RATE', fallback('QSCOPE_MINT_RATE')),
    maxLiveTokensPerClient: read(
      'QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT',
      SCHEMAS.liveTokens,
      fallback('QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT'),
    ),
    authenticationFailuresPerClient: rate(
      'QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT',
      fallback('QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT'),
    ),
    authenticationFailuresPerPeer: rate(
      'QSCOPE_AUTHENTICATION_FAILURES_PER_PEER',
      fallback('QSCOPE_AUTHENTICATION_FAILURES_PER_PEER'),
    ),
    deviceStartRate: rate('QSCOPE_DEVICE_START_RATE', fallback('QSCOPE_DEVICE_START_RATE')),
    maxPendingDeviceAuthorizations: count(
      'QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS',
      fallback('QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS'),
    ),
    maxPendingDeviceAuthorizationsPerPeer: count(
      'QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER',
      fallback('QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER'),
    ),
    maxWatchesPerPeer: count('QSCOPE_MAX_WATCHES_PER_PEER', fallback('QSCOPE_MAX_WATCHES_PER_PEER')),
  })
}

/** The limits as their variables are written. */
export function limitSettings(limits: Limits) {
  const rate = (value: Rate | null) => (value === null ? 'off' : formatRate(value))
  return {
    QSCOPE_MINT_RATE: rate(limits.mintRate),
    QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT: String(limits.maxLiveTokensPerClient ?? 'off'),
    QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: rate(limits.authenticationFailuresPerClient),
    QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: rate(limits.authenticationFailuresPerPeer),
    QSCOPE_DEVICE_START_RATE: rate(limits.deviceStartRate),
    QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: String(limits.maxPendingDeviceAuthorizations),
    QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER: String(limits.maxPendingDeviceAuthorizationsPerPeer),
    QSCOPE_MAX_WATCHES_PER_PEER: String(limits.maxWatchesPerPeer),
  } satisfies Partial<Record<VariableName, string>>
}
