import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf'
import { type Duration, durationMs, type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { formatDuration } from '../config/duration.ts'

/** A message as JSON with the names of the proto, empty fields included. */
export function json<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true })
}

export function time(value: Timestamp | undefined): string {
  return value === undefined ? '' : timestampDate(value).toISOString()
}

export function span(value: Duration | undefined): string {
  return value === undefined ? '' : formatDuration(durationMs(value))
}

export function list(values: readonly string[]): string {
  return values.join(' ')
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

/** How a list goes on. */
export function more(nextPageToken: string): string {
  return nextPageToken === '' ? '' : `\nmore with --page-token ${nextPageToken}`
}
