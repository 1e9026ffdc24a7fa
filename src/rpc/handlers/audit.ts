import type { CallContext } from '../../context.ts'
import { auditEventId } from '../../domain/ids.ts'
import { exportAuditHead, getAuditEvent, listAuditEvents } from '../../flows/audit/read-audit-log.ts'
import { verifyAuditLog } from '../../flows/audit/verify-audit-log.ts'
import type { AuditWatches } from '../../flows/audit/watch-audit-log.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { AuditService } from '../../gen/qscope/v1/audit_service_pb.ts'
import { mapResult } from '../../results.ts'
import { fromAuditFilter, fromAuditWatchFilter, toAuditEvent, toVerification } from '../convert/audit.ts'
import type { AnswerOf, AnswersOf, RequestOf, ServiceHandlers } from '../routes.ts'

type Methods = typeof AuditService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends Exclude<keyof Methods, 'watchAuditEvents'>> = AnswerOf<Methods[Name]>

export class AuditHandlers implements ServiceHandlers<typeof AuditService> {
  readonly #runner: FlowRunner
  readonly #watches: AuditWatches

  constructor(runner: FlowRunner, watches: AuditWatches) {
    this.#runner = runner
    this.#watches = watches
  }

  async listAuditEvents(ctx: CallContext, request: Request<'listAuditEvents'>): Answer<'listAuditEvents'> {
    const filter = fromAuditFilter(request)
    if (!filter.ok) return filter
    const { pageSize, pageToken } = request
    const listed = await this.#runner.query(listAuditEvents, ctx, { filter: filter.value, pageSize, pageToken })
    return mapResult(listed, ({ items, nextPageToken }) => ({ events: items.map(toAuditEvent), nextPageToken }))
  }

  async *watchAuditEvents(
    ctx: CallContext,
    request: Request<'watchAuditEvents'>,
  ): AnswersOf<Methods['watchAuditEvents']> {
    const filter = fromAuditWatchFilter(request)
    if (!filter.ok) {
      yield filter
      return
    }
    for await (const told of this.#watches.watch(ctx, { cursor: request.cursor, filter: filter.value })) {
      yield mapResult(told, ({ event, cursor }) => ({ cursor, ...(event !== null && { event: toAuditEvent(event) }) }))
    }
  }

  async getAuditEvent(ctx: CallContext, request: Request<'getAuditEvent'>): Answer<'getAuditEvent'> {
    const found = await this.#runner.query(getAuditEvent, ctx, { eventId: auditEventId(request.eventId) })
    return mapResult(found, (event) => ({ event: toAuditEvent(event) }))
  }

  async verifyAuditLog(
    ctx: CallContext,
    { exportedHead, maxEvents, pageToken }: Request<'verifyAuditLog'>,
  ): Answer<'verifyAuditLog'> {
    return mapResult(
      await this.#runner.query(verifyAuditLog, ctx, { exportedHead, maxEvents, pageToken }),
      toVerification,
    )
  }

  async exportAuditHead(ctx: CallContext): Answer<'exportAuditHead'> {
    const exported = await this.#runner.query(exportAuditHead, ctx, {})
    return mapResult(exported, ({ head, chains, events }) => ({
      head,
      chains: BigInt(chains),
      events: BigInt(events),
    }))
  }
}
