import { Command } from 'commander'
import { AuditService, ExportAuditHeadResponseSchema } from '../../gen/qscope/v1/audit_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'

export function auditHead(): Command {
  return withConnection(new Command('head'))
    .description('print where the chains of the log end now, under a MAC; keep it apart from the database')
    .action(async (options: ConnectionOptions) => {
      await withCalls(
        options,
        async (calls, output) => {
          const answer = await calls.call(AuditService.method.exportAuditHead, {})
          output.answer(
            () => json(ExportAuditHeadResponseSchema, answer),
            () => answer.head,
          )
        },
        { readsOnly: true, needsKeyringFile: true },
      )
    })
}
