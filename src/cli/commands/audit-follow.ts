import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import {
  type AuditEvent,
  AuditService,
  type WatchAuditEventsResponse,
  WatchAuditEventsResponseSchema,
} from '../../gen/qscope/v1/audit_service_pb.ts'
import { CallFailure, type Calls } from '../connection/calls.ts'
import { readWithCalls } from '../connection/session.ts'
import { type ConnectionOptions, omitUndefined, repeated, withConnection } from '../options/options.ts'
import { entriesText, messageJson, timeText } from '../output/output.ts'
import { writeError } from '../output/terminal.ts'
import { auditEventView } from '../views/audit-event.ts'

interface FollowOptions extends ConnectionOptions {
  readonly type?: string[]
  readonly ofClient?: string
  readonly ofUser?: string
  readonly rayId?: string
  readonly cursor?: string
}

const RETRY_MS = 1_000
/** The longest name of an event type. */
const TYPE_WIDTH = 28

export function followCommand(): Command {
  return withConnection(new Command('follow'))
    .description('print audit events as they are committed, and reconnect if necessary; Ctrl-C ends it')
    .addOption(repeated('--type <type>', 'only events of this type, such as token.issued'))
    .option('--of-client <id>', 'only events about this client')
    .option('--of-user <id>', 'only events about this user')
    .option('--ray-id <id>', 'only events of this call')
    .option('--cursor <cursor>', 'start after this cursor (from --json) instead of now')
    .action(async (options: FollowOptions) => {
      await readWithCalls(options, async (calls, output) => {
        for await (const answer of follow(calls, options)) {
          const { event } = answer
          if (event === undefined) continue
          output.line({
            document: () => messageJson(WatchAuditEventsResponseSchema, answer),
            text: () => output.wrapped(eventLine(event), '  '),
            names: () => [auditEventView.name(event)],
          })
        }
      })
    })
}

/** The answers of successive streams, each continuing after the previous one, until SIGINT or SIGTERM. */
async function* follow(calls: Calls, options: FollowOptions): AsyncGenerator<WatchAuditEventsResponse, void, void> {
  const ended = new AbortController()
  const end = () => ended.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  const { type: eventTypes = [], ofClient: clientId, ofUser: userId, rayId } = options
  const filter = { eventTypes, ...omitUndefined({ clientId, userId, rayId }) }
  let cursor = options.cursor ?? ''
  let isFollowing = false
  let isRefused = false
  try {
    while (!ended.signal.aborted) {
      try {
        for await (const answer of calls.stream(
          AuditService.method.watchAuditEvents,
          { ...filter, cursor },
          ended.signal,
        )) {
          cursor = answer.cursor
          isFollowing = true
          isRefused = false
          yield answer
        }
      } catch (error) {
        // If the first attempt failed, a retry would fail too.
        if (!isFollowing || !(error instanceof CallFailure) || !mayGoOn(error)) throw error
        const isTokenOver = error.refusal.reason === 'OAUTH_INVALID_TOKEN'
        // The token was given explicitly, so a retry would use the same one.
        if (isTokenOver && isRefused) throw error
        isRefused = isTokenOver
        writeError(`${error.message}; reconnecting`)
      }
      await sleep(RETRY_MS, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

/** The server is stopping or unreachable, or the token has expired and a new one can be minted. */
function mayGoOn({ refusal: { reason, status } }: CallFailure): boolean {
  return status === 'UNAVAILABLE' || status === 'CANCELLED' || reason === 'OAUTH_INVALID_TOKEN'
}

function eventLine({ createTime, eventType, clientId, tokenId, actor, rayId, metadata }: AuditEvent): string {
  const concerning = [clientId, tokenId].filter((each) => each !== undefined)
  const details = entriesText(metadata)
  return [
    timeText(createTime),
    eventType.padEnd(TYPE_WIDTH),
    ...concerning,
    `by ${actor}`,
    `ray ${rayId}`,
    ...(details === '' ? [] : [details]),
  ].join('  ')
}
