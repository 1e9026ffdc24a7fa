import { toJsonString } from '@bufbuild/protobuf'
import { type AuditEvent, AuditEventSchema } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'

/** What one file of the browser's memory takes; `qscope audit export` has no such end. */
export const MOST_EVENTS = 200_000

interface EventPage {
  readonly events: readonly AuditEvent[]
  readonly nextPageToken: string
}

interface ExportedEvents {
  /** A line of JSON each. */
  readonly lines: readonly string[]
  /** Whether older events match that are not among them. */
  readonly isCut: boolean
}

/** Reads events page by page, the newest first, to the end or to the page that reaches `most`. `onCount` hears how many there are so far. */
export async function exportEvents(
  pageAt: (pageToken: string) => Promise<EventPage>,
  onCount: (count: number) => void,
  most = MOST_EVENTS,
): Promise<ExportedEvents> {
  const lines: string[] = []
  let pageToken = ''
  do {
    const page = await pageAt(pageToken)
    lines.push(...page.events.map((event) => `${toJsonString(AuditEventSchema, event)}\n`))
    onCount(lines.length)
    pageToken = page.nextPageToken
  } while (pageToken !== '' && lines.length < most)
  return { lines, isCut: pageToken !== '' }
}
