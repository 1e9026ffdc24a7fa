import type { Duration } from '@bufbuild/protobuf/wkt'

/** The longest that `google.protobuf.Duration` holds: 10,000 years, in seconds. */
const LONGEST_S = 315_576_000_000
const NANOS = 1_000_000_000
const MS = 1_000

/**
 * Seconds as a field of numbers has them, such as `90`, `1.5` or `1e3`, to the millisecond. Whether they are acceptable,
 * the server says.
 */
export function durationOf(text: string): { readonly seconds: bigint; readonly nanos: number } {
  const seconds = Math.min(LONGEST_S, Math.max(-LONGEST_S, Number(text) || 0))
  const ms = Math.round(seconds * MS)
  return { seconds: BigInt(Math.trunc(ms / MS)), nanos: (ms % MS) * (NANOS / MS) }
}

/** Seconds as a field of numbers takes them; empty: there is no duration. */
export function secondsOf(duration: Duration | undefined): string {
  return duration === undefined ? '' : String(Number(duration.seconds) + duration.nanos / NANOS)
}

/** The same number in its shortest form; what is no number stays as it is. */
export function plain(text: string): string {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? text : String(value)
}
