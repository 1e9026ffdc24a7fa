/**
 * `TimeoutValue` has at most 8 ASCII digits, followed by one letter for the unit. Clients of Connect send the value of their
 * program, which may have a fraction.
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

/** The longest delay of a timer. A deadline further away is ignored. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The value of `grpc-timeout` in milliseconds. `Infinity` beyond the longest delay of a timer (24 days); `null` if it is malformed. */
export function timeoutOf(text: string): number | null {
  const [, digits = '', unit = ''] = TIMEOUT.exec(text) ?? []
  const unitMs = UNITS_MS.get(unit)
  if (unitMs === undefined) return null
  const ms = Number(digits) * unitMs
  return ms > MAX_TIMEOUT_MS ? Number.POSITIVE_INFINITY : ms
}
