import type { CallContext } from '../../context.ts'
import { clientId } from '../../domain/ids.ts'
import { listUsage } from '../../flows/audit/list-usage.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { UsageService } from '../../gen/qscope/v1/usage_service_pb.ts'
import { mapResult } from '../../results.ts'
import { fromTimestamp, toTimestamp } from '../convert/time.ts'
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'

type Methods = typeof UsageService.method

export class UsageHandlers implements ServiceHandlers<typeof UsageService> {
  readonly #runner: FlowRunner

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  async listUsage(
    ctx: CallContext,
    { clientId: client, startTime, endTime, pageSize, pageToken }: RequestOf<Methods['listUsage']>,
  ): AnswerOf<Methods['listUsage']> {
    const filter = {
      clientId: client === undefined ? null : clientId(client),
      from: startTime === undefined ? null : fromTimestamp(startTime),
      until: endTime === undefined ? null : fromTimestamp(endTime),
    }
    const listed = await this.#runner.query(listUsage, ctx, { filter, pageSize, pageToken })
    return mapResult(listed, ({ items, nextPageToken }) => ({
      usages: items.map(({ day, clientId: id, scopes, neverUsed }) => ({
        clientId: id,
        day: toTimestamp(day),
        scopes: scopes.map(({ scope, asked, granted }) => ({
          scope,
          asked: BigInt(asked),
          granted: BigInt(granted),
        })),
        neverUsedScopes: [...neverUsed],
      })),
      nextPageToken,
    }))
  }
}
