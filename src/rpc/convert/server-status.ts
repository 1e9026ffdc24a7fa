import type { MessageInitShape } from '@bufbuild/protobuf'
import { ErrorReason } from '../../gen/qscope/v1/error_reason_pb.ts'
import { FindingState, type GetServerStatusResponseSchema } from '../../gen/qscope/v1/server_service_pb.ts'
import { reasonOf } from '../rpc-status.ts'
import type { ServerStatus } from '../server-status.ts'
import { toDuration, toTimestamp } from './time.ts'

const STATES = {
  ok: FindingState.OK,
  warning: FindingState.WARNING,
  problem: FindingState.PROBLEM,
} as const satisfies Record<ServerStatus['findings'][number]['state'], FindingState>

export function toServerStatus(status: ServerStatus): MessageInitShape<typeof GetServerStatusResponseSchema> {
  const { version, startedAt, serving, findings, examinedAt, rates } = status
  return {
    version,
    startTime: toTimestamp(startedAt),
    serving,
    findings: findings.map(({ check, state, finding, advice }) => ({
      check,
      state: STATES[state],
      finding,
      advice: advice ?? '',
    })),
    examineTime: toTimestamp(examinedAt),
    rateWindow: toDuration(rates.window),
    calls: rates.calls.map(({ name: method, count, perSecond }) => ({ method, count: BigInt(count), perSecond })),
    refusals: rates.refusals.map(({ name, count, perSecond }) => ({
      reason: ErrorReason[reasonOf(name)],
      count: BigInt(count),
      perSecond,
    })),
  }
}
