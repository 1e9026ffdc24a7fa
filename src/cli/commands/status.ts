import { type Duration, durationMs } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { formatDuration } from '../../config/duration.ts'
import { ErrorReasonSchema } from '../../gen/qscope/v1/error_reason_pb.ts'
import {
  FindingStateSchema,
  type GetServerStatusResponse,
  GetServerStatusResponseSchema,
  ServerService,
} from '../../gen/qscope/v1/server_service_pb.ts'
import { readWithCalls } from '../connection/session.ts'
import { type ConnectionOptions, nameOf, withConnection } from '../options/options.ts'
import { state, yesNo } from '../output/cell.ts'
import { messageJson, type Output } from '../output/output.ts'
import type { Column } from '../output/table.ts'
import { FINDING_COLUMNS, type ShownFinding } from '../views/finding.ts'

type Found = GetServerStatusResponse['findings'][number]
type Called = GetServerStatusResponse['calls'][number]
type Refused = GetServerStatusResponse['refusals'][number]

/** Shows the status of a server, or without a server that of the configured database. */
export function statusCommand(): Command {
  return withConnection(new Command('status'))
    .description('show the status of a server: version, health, findings of doctor, calls, refusals')
    .action(async (options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(ServerService.method.getServerStatus, {})
        output.answer({
          document: () => messageJson(GetServerStatusResponseSchema, answer),
          text: () => statusText(answer, output),
          names: () => [...new Set(warningsAndProblems(answer).map(({ check }) => check))],
        })
      })
    })
}

function warningsAndProblems({ findings }: GetServerStatusResponse): readonly Found[] {
  return findings.filter(({ advice }) => advice !== '')
}

function shown({ check, state, finding, advice }: Found): ShownFinding {
  return { check, state: nameOf(FindingStateSchema, state), finding, advice }
}

/** In milliseconds: the window is as long as the server has run, to the millisecond. */
function wholeSeconds(window: Duration | undefined): number {
  return Math.max(1, Math.round(window === undefined ? 0 : durationMs(window) / 1_000)) * 1_000
}

function statusText(status: GetServerStatusResponse, output: Output): string {
  const { version, serving, startTime, rateWindow, examineTime, findings, calls, refusals } = status
  const found = warningsAndProblems(status)
  const rate = `PER SECOND, LAST ${formatDuration(wholeSeconds(rateWindow))}`
  const callColumns: readonly Column<Called>[] = [
    { heading: 'METHOD', value: ({ method }) => method, whole: true },
    { heading: 'CALLS', value: ({ count }) => String(count) },
    { heading: rate, value: ({ perSecond }) => perSecond.toFixed(2) },
  ]
  const refusalColumns: readonly Column<Refused>[] = [
    { heading: 'REASON', value: ({ reason }) => ErrorReasonSchema.value[reason]?.localName ?? String(reason) },
    { heading: 'REFUSED', value: ({ count }) => String(count) },
    { heading: rate, value: ({ perSecond }) => perSecond.toFixed(2) },
  ]
  return [
    output.pairs([
      ['version', version],
      ['serving', state(yesNo(serving))],
      ['since', startTime],
      ['examined', examineTime],
      ['findings', `${findings.length}; warnings and problems: ${found.length}`],
    ]),
    ...(found.length === 0 ? [] : ['', output.table(FINDING_COLUMNS, found.map(shown))]),
    ...(calls.length === 0 ? [] : ['', output.table(callColumns, calls)]),
    ...(refusals.length === 0 ? [] : ['', output.table(refusalColumns, refusals)]),
  ].join('\n')
}
