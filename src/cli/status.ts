import { Command } from 'commander'
import { ErrorReasonSchema } from '../gen/qscope/v1/error_reason_pb.ts'
import {
  FindingStateSchema,
  type GetServerStatusResponse,
  GetServerStatusResponseSchema,
  ServerService,
} from '../gen/qscope/v1/server_service_pb.ts'
import { type ConnectionOptions, nameOf, withConnection } from './options.ts'
import { durationText, messageJson, type Output, timeText, yesNo } from './output.ts'
import { readWithCalls } from './session.ts'

/** How a server is; without one, how the database is that this environment configures. */
export function statusCommand(): Command {
  return withConnection(new Command('status'))
    .description('tell how a server is: version, health, what the doctor finds, what it is asked and refuses')
    .action(async (options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(ServerService.method.getServerStatus, {})
        output.answer(
          () => messageJson(GetServerStatusResponseSchema, answer),
          () => statusText(answer, output),
        )
      })
    })
}

function statusText(status: GetServerStatusResponse, output: Output): string {
  const { version, serving, startTime, rateWindow, examineTime, findings, calls, refusals } = status
  const amiss = findings.filter(({ advice }) => advice !== '')
  const text = [
    output.keyValues([
      ['version', version],
      ['serving', yesNo(serving)],
      ['since', timeText(startTime)],
      ['examined', timeText(examineTime)],
      ['findings', `${findings.length}, of which ${amiss.length} to look into`],
    ]),
  ]
  if (amiss.length > 0) {
    const rows = amiss.map(({ check, state, finding, advice }) => [
      check,
      nameOf(FindingStateSchema, state),
      finding,
      advice,
    ])
    text.push('', output.table(['CHECK', 'STATE', 'FINDING', 'WHAT TO DO'], rows))
  }
  const rate = (perSecond: number) => perSecond.toFixed(2)
  const window = `PER SECOND, LAST ${durationText(rateWindow)}`
  if (calls.length > 0) {
    const rows = calls.map(({ method, count, perSecond }) => [method, String(count), rate(perSecond)])
    text.push('', output.table(['METHOD', 'CALLS', window], rows))
  }
  if (refusals.length > 0) {
    const rows = refusals.map(({ reason, count, perSecond }) => [
      ErrorReasonSchema.value[reason]?.localName ?? String(reason),
      String(count),
      rate(perSecond),
    ])
    text.push('', output.table(['REASON', 'REFUSED', window], rows))
  }
  return text.join('\n')
}
