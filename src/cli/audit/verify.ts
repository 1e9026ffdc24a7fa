import { create } from '@bufbuild/protobuf'
import { Command } from 'commander'
import { openKeyringFile } from '../../app/open-keyring.ts'
import { verifyExport } from '../../app/verify-export.ts'
import {
  AuditBreakKindSchema,
  AuditService,
  type VerifyAuditLogResponse,
  VerifyAuditLogResponseSchema,
} from '../../gen/qscope/v1/audit_service_pb.ts'
import { toVerification } from '../../rpc/convert/audit.ts'
import type { Calls } from '../calls.ts'
import { readConfig } from '../environment.ts'
import { type ConnectionOptions, nameOf, withConnection } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { table } from '../table.ts'
import { complain } from '../terminal.ts'
import { UsageError } from '../usage-error.ts'
import { linesOf, readExportedHead } from './exported-head-file.ts'

interface Options extends ConnectionOptions {
  readonly head?: string
  readonly file?: string
}

export function auditVerify(): Command {
  return withConnection(new Command('verify'))
    .description('walk the chains of the audit log and say where they break; exit code 1 if they do')
    .option('--head <file>', 'compare with an exported head, in a file or - for standard input')
    .option('--file <file>', 'verify an export, or - for standard input, with the keyring alone')
    .action(async (options: Options) => {
      if (options.file !== undefined && options.server !== undefined) {
        throw new UsageError('an export is verified with the keyring here: --file goes without --server')
      }
      const exportedHead = options.head === undefined ? '' : await readExportedHead(options.head)
      if (options.file !== undefined) {
        await verifyFile(options.file, exportedHead, createOutput(options.json ?? false))
        return
      }
      await withCalls(options, async (calls, output) => report(await walk(calls, exportedHead), output), {
        // Which keys are missing is for the walk to say.
        insistOnKeys: false,
        readsOnly: true,
      })
    })
}

/** Walks the log part by part. */
async function walk(calls: Calls, exportedHead: string): Promise<VerifyAuditLogResponse> {
  const all = create(VerifyAuditLogResponseSchema, { valid: true })
  let pageToken = ''
  do {
    const part = await calls.call(AuditService.method.verifyAuditLog, { exportedHead, pageToken })
    all.valid &&= part.valid
    all.verifiedChains += part.verifiedChains
    all.verifiedEvents += part.verifiedEvents
    all.breakCount += part.breakCount
    all.breaks.push(...part.breaks)
    pageToken = part.nextPageToken
  } while (pageToken !== '')
  return all
}

async function verifyFile(path: string, after: string, output: Output): Promise<void> {
  const keyring = openKeyringFile(readConfig())
  const { chains, events, breaks, startsUnproved } = await verifyExport(
    keyring,
    linesOf(path),
    after === '' ? null : after,
  )
  const found = { chains, events, breaks, breakCount: breaks.length, nextPageToken: '' }
  report(create(VerifyAuditLogResponseSchema, toVerification(found)), output)
  if (startsUnproved) {
    complain('the export goes on after an earlier one: give its head with --head to prove the join')
  }
}

function report(found: VerifyAuditLogResponse, output: Output): void {
  const { valid, verifiedChains, verifiedEvents, breaks, breakCount } = found
  const counts = `${verifiedEvents} events in ${verifiedChains} chains`
  output.answer(
    () => json(VerifyAuditLogResponseSchema, found),
    () =>
      valid
        ? `intact: ${counts}`
        : [
            table(
              ['WHAT', 'WRITER', 'PLACE', 'EVENT', 'DETAIL'],
              breaks.map(({ kind, writerId, sequence, eventId, detail }) => [
                nameOf(AuditBreakKindSchema, kind),
                writerId,
                sequence === 0n ? '' : String(sequence),
                eventId ?? '',
                detail,
              ]),
              output.bold,
            ),
            `broken: ${breakCount} found; right are ${counts}`,
          ].join('\n'),
  )
  if (!valid) process.exitCode = 1
}
