import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { AuditService, ListAuditEventsResponseSchema } from '../../gen/qscope/v1/audit_service_pb.ts'
import {
  type ConnectionOptions,
  given,
  moment,
  type PageOptions,
  repeated,
  withConnection,
  withPaging,
} from '../options.ts'
import { readWithCalls } from '../session.ts'
import { json, list, more, time } from '../show.ts'
import { table } from '../table.ts'

interface Options extends ConnectionOptions, PageOptions {
  readonly type?: string[]
  readonly ofClient?: string
  readonly ofUser?: string
  readonly rayId?: string
  readonly since?: Timestamp
  readonly until?: Timestamp
}

export function auditList(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list audit events, newest first')
    .addOption(repeated('--type <type>', 'only this type, such as token.issued'))
    .option('--of-client <id>', 'only those about a client')
    .option('--of-user <id>', 'only those about a user')
    .option('--ray-id <id>', 'only those of one call')
    .option('--since <time>', 'at or after an ISO 8601 time, or so long ago, such as 1h', moment)
    .option('--until <time>', 'before an ISO 8601 time, or so long ago', moment)
    .action(async (options: Options) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(AuditService.method.listAuditEvents, {
          eventTypes: options.type ?? [],
          ...given({ clientId: options.ofClient, userId: options.ofUser, rayId: options.rayId }),
          ...given({ startTime: options.since, endTime: options.until }),
          ...given({ pageSize: options.pageSize, pageToken: options.pageToken }),
        })
        output.answer(
          () => json(ListAuditEventsResponseSchema, answer),
          () =>
            table(
              ['TIME', 'EVENT', 'CLIENT', 'TOKEN', 'ACTOR', 'RAY ID', 'METADATA'],
              answer.events.map((event) => [
                time(event.createTime),
                event.eventType,
                event.clientId ?? '',
                event.tokenId ?? '',
                event.actor,
                event.rayId,
                list(Object.entries(event.metadata).map(([key, value]) => `${key}=${value}`)),
              ]),
              output.bold,
            ) + more(answer.nextPageToken),
        )
      })
    })
}
