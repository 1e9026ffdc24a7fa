import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { create } from '@bufbuild/protobuf'
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { assertDatabaseExists } from '../../app/database.ts'
import { openKeyringFile } from '../../app/keyring.ts'
import {
  type AuditBreak,
  AuditBreakKindSchema,
  AuditService,
  ExportAuditHeadResponseSchema,
  GetAuditEventResponseSchema,
  ListAuditEventsResponseSchema,
  type VerifyAuditLogResponse,
  VerifyAuditLogResponseSchema,
} from '../../gen/qscope/v1/audit_service_pb.ts'
import { messageOf } from '../../message-of.ts'
import { toVerification } from '../../rpc/convert/audit.ts'
import type { Calls } from '../connection/calls.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import {
  type ConnectionOptions,
  nameOf,
  omitUndefined,
  type PageOptions,
  pointInTime,
  repeated,
  UsageError,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { messageJson, Output } from '../output/output.ts'
import type { Column } from '../output/table.ts'
import { writeError } from '../output/terminal.ts'
import { auditEventView } from '../views/audit-event.ts'
import { followCommand } from './audit-follow.ts'

export function auditCommand(): Command {
  return new Command('audit')
    .description('read, verify and export the audit log')
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(followCommand())
    .addCommand(verifyCommand())
    .addCommand(headCommand())
    .addCommand(exportCommand())
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly type?: string[]
  readonly ofClient?: string
  readonly ofUser?: string
  readonly rayId?: string
  readonly since?: Timestamp
  readonly until?: Timestamp
}

function listCommand(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list audit events, newest first')
    .addOption(repeated('--type <type>', 'only events of this type, such as token.issued'))
    .option('--of-client <id>', 'only events about this client')
    .option('--of-user <id>', 'only events about this user')
    .option('--ray-id <id>', 'only events of this call')
    .option('--since <time>', 'at or after this ISO 8601 time, or this long ago, such as 1h', pointInTime)
    .option('--until <time>', 'before this ISO 8601 time, or this long ago', pointInTime)
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { type: eventTypes = [], ofClient: clientId, ofUser: userId, rayId, pageSize, pageToken } = options
        const { since: startTime, until: endTime } = options
        const answer = await calls.call(AuditService.method.listAuditEvents, {
          eventTypes,
          ...omitUndefined({ clientId, userId, rayId, startTime, endTime, pageSize, pageToken }),
        })
        const document = () => messageJson(ListAuditEventsResponseSchema, answer)
        output.list(auditEventView, answer.events, document, answer.nextPageToken)
      })
    })
}

function getCommand(): Command {
  return withConnection(new Command('get'))
    .description('show an audit event')
    .argument('<event-id>', 'id of the event, as qscope audit list -o name prints it')
    .action(async (eventId: string, options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(AuditService.method.getAuditEvent, { eventId })
        output.object(auditEventView, answer.event, () => messageJson(GetAuditEventResponseSchema, answer))
      })
    })
}

interface VerifyOptions extends ConnectionOptions {
  readonly head?: string
  readonly file?: string
}

function verifyCommand(): Command {
  return withConnection(new Command('verify'))
    .description('verify the chains of the audit log; exit code 1 if one is broken')
    .option('--head <file>', 'compare with an exported head, in a file or - for standard input')
    .option('--file <file>', 'verify this export (- for standard input); needs only the keyring')
    .action(async (options: VerifyOptions) => {
      if (options.file !== undefined && options.server !== undefined) {
        throw new UsageError('an export is verified with the local keyring: --file cannot be combined with --server')
      }
      const exportedHead = options.head === undefined ? '' : await readExportedHead(options.head)
      if (options.file !== undefined) {
        await verifyFile(options.file, exportedHead, new Output(options))
        return
      }
      await withCalls(options, async (calls, output) => report(await verifyAll(calls, exportedHead), output), {
        // The verification itself reports missing keys.
        requiresKeys: false,
        readsOnly: true,
      })
    })
}

/** Verifies the log page by page. */
async function verifyAll(calls: Calls, exportedHead: string): Promise<VerifyAuditLogResponse> {
  const all = create(VerifyAuditLogResponseSchema, { valid: true })
  let pageToken = ''
  do {
    const page = await calls.call(AuditService.method.verifyAuditLog, { exportedHead, pageToken })
    all.valid &&= page.valid
    all.verifiedChains += page.verifiedChains
    all.verifiedEvents += page.verifiedEvents
    all.breakCount += page.breakCount
    all.breaks.push(...page.breaks)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return all
}

async function verifyFile(path: string, after: string, output: Output): Promise<void> {
  const keyring = openKeyringFile(readConfig())
  const { verifyExport } = await import('../../app/audit-export.ts')
  const found = await verifyExport(keyring, linesOf(path), after === '' ? null : after)
  const { chains, events, breaks, startsUnproved } = found
  const verification = { chains, events, breaks, breakCount: breaks.length, nextPageToken: '' }
  report(create(VerifyAuditLogResponseSchema, toVerification(verification)), output)
  if (startsUnproved) {
    writeError(
      'this export continues an earlier one: give the head of the earlier one with --head to verify that they join',
    )
  }
}

const BREAK_COLUMNS: readonly Column<AuditBreak>[] = [
  { heading: 'WHAT', value: ({ kind }) => nameOf(AuditBreakKindSchema, kind) },
  { heading: 'WRITER', value: ({ writerId }) => writerId, whole: true },
  { heading: 'PLACE', value: ({ sequence }) => (sequence === 0n ? '' : String(sequence)) },
  { heading: 'EVENT', value: ({ eventId }) => eventId, wide: true },
  { heading: 'DETAIL', value: ({ detail }) => detail, wrap: true },
]

function report(found: VerifyAuditLogResponse, output: Output): void {
  const { valid, verifiedChains, verifiedEvents, breaks, breakCount } = found
  const counts = `${verifiedEvents} events in ${verifiedChains} chains`
  output.answer({
    document: () => messageJson(VerifyAuditLogResponseSchema, found),
    text: () =>
      valid
        ? `intact: ${counts}`
        : `${output.table(BREAK_COLUMNS, breaks)}\nbroken: ${breakCount} found; right are ${counts}`,
    names: () => breaks.map(({ writerId, sequence }) => `${writerId}:${sequence}`),
  })
  if (!valid) process.exitCode = 1
}

function headCommand(): Command {
  return withConnection(new Command('head'))
    .description(
      'export the head of the audit log (the ends of its chains, with a MAC); keep it separately from the database',
    )
    .action(async (options: ConnectionOptions) => {
      await withCalls(
        options,
        async (calls, output) => {
          const answer = await calls.call(AuditService.method.exportAuditHead, {})
          output.answer({
            document: () => messageJson(ExportAuditHeadResponseSchema, answer),
            text: () => answer.head,
            names: () => [answer.head],
          })
        },
        { readsOnly: true, needsKeyringFile: true },
      )
    })
}

function exportCommand(): Command {
  return new Command('export')
    .description('print the audit log of the configured database as JSON lines, with the head as the last line')
    .option('--after <file>', 'only events after this earlier export or exported head')
    .action(async ({ after }: { readonly after?: string }) => {
      const earlier = after === undefined ? null : await readExportedHead(after)
      const config = readConfig()
      const log = openLog(config, { quiet: true })
      assertDatabaseExists(config)
      // The last line contains a MAC that is verified later.
      const { openApp } = await import('../../app/app.ts')
      const { exportAuditLog } = await import('../../app/audit-export.ts')
      const app = await openApp(config, log, openKeyringFile(config))
      try {
        const health = await app.backend.check()
        if (!health.serving) throw new Error(health.problem)
        await exportAuditLog(app, log, earlier, process.stdout)
      } finally {
        await app.close()
      }
    })
}

/** Reads the head from a file of `audit head`, with `--json` or without, or from the last line of an export. */
async function readExportedHead(path: string): Promise<string> {
  let last = ''
  for await (const line of linesOf(path)) {
    // A document that spans several lines is joined. Of several one-line documents the last is used.
    const continues = last.startsWith('{') && !last.endsWith('}')
    if (line !== '') last = continues ? last + line : line
  }
  try {
    const document: unknown = JSON.parse(last)
    if (typeof document === 'object' && document !== null && 'head' in document) {
      return typeof document.head === 'string' ? document.head : JSON.stringify(document.head)
    }
  } catch {
    throw new UsageError(`${path} does not contain an exported head`)
  }
  return last
}

/** The lines of a file, or of standard input for `-`. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const input = path === '-' ? process.stdin : createReadStream(path)
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`)
  }
}
