import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { ListUsageResponseSchema, UsageService } from '../../gen/qscope/v1/usage_service_pb.ts'
import { readWithCalls } from '../connection/session.ts'
import {
  type ConnectionOptions,
  omitUndefined,
  type PageOptions,
  pointInTime,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { messageJson } from '../output/output.ts'
import { writeNotice } from '../output/terminal.ts'
import { usageView } from '../views/usage.ts'

interface UsageOptions extends ConnectionOptions, PageOptions {
  readonly ofClient?: string
  readonly since?: Timestamp
  readonly until?: Timestamp
}

export function usageCommand(): Command {
  return withPaging(withConnection(new Command('usage')))
    .description('show the scopes of the tokens of each client and day, and unused scopes (requires QSCOPE_USAGE=on)')
    .option('--of-client <id>', 'only those of this client')
    .option(
      '--since <time>',
      'days that start at or after this ISO 8601 time, or this long ago, such as 30d',
      pointInTime,
    )
    .option('--until <time>', 'days that start before this ISO 8601 time, or this long ago', pointInTime)
    .action(async (options: UsageOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { ofClient: clientId, since: startTime, until: endTime, pageSize, pageToken } = options
        const request = omitUndefined({ clientId, startTime, endTime, pageSize, pageToken })
        const answer = await calls.call(UsageService.method.listUsage, request)
        const document = () => messageJson(ListUsageResponseSchema, answer)
        output.list(usageView, answer.usages, document, answer.nextPageToken)
        if (answer.usages.length === 0) {
          writeNotice(
            'qscope: note: no usage was counted; a server counts usage only with QSCOPE_USAGE=on (default: off)\n',
          )
        }
      })
    })
}
