import { text } from 'node:stream/consumers'
import { toJson } from '@bufbuild/protobuf'
import { Command } from 'commander'
import { StatusSchema } from '../gen/google/rpc/status_pb.ts'
import { createOutput } from './output.ts'
import { describeStatus, parseStatus, STATUS_DETAILS } from './status-details.ts'
import { UsageError } from './usage-error.ts'

export function decodeStatus(): Command {
  return new Command('decode-status')
    .description('say what a refusal says: the error that buf curl prints, or a grpc-status-details-bin')
    .argument('[error]', 'the error; without it standard input is read')
    .option('--json', 'print one JSON document')
    .action(async (given: string | undefined, options: { readonly json?: boolean }) => {
      const status = parseStatus(given ?? (await text(process.stdin)))
      if (status === null) {
        throw new UsageError('this is neither the error that buf curl prints nor a grpc-status-details-bin in base64')
      }
      createOutput(options.json ?? false).answer(
        () => toJson(StatusSchema, status, { registry: STATUS_DETAILS }),
        () => describeStatus(status),
      )
    })
}
