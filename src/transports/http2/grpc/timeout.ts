/**
 * `TimeoutValue` has at most 8 digits, all of them ASCII, and one letter follows. Callers with Connect send what their
 * program gave, which may have a fraction.
 */
const TIMEOUT = /^(\d{1,8}(?:\.\d{1,20})?)([HMSmun])$/

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1_000],
  ['m', 1],
  ['u', 0.001],
  ['n', 0.000_001],
])

/** What a timer can count. A deadline further away is none. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** What `grpc-timeout` says: milliseconds, `Infinity` beyond what a timer counts (24 days), `null` where it is malformed. */
export function timeoutOf(text: string): number | null {
  const [, digits = '', unit = ''] = TIMEOUT.exec(text) ?? []
  const unitMs = UNITS_MS.get(unit)
  if (unitMs === undefined) return null
  const ms = Number(digits) * unitMs
  return ms > MAX_TIMEOUT_MS ? Number.POSITIVE_INFINITY : ms
}
