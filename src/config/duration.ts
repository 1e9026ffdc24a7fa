const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const UNITS: Readonly<Record<string, number>> = Object.freeze({
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
})

/** Parses a duration such as `500ms`, `10s`, `5m`, `1h` or `30d` into milliseconds. `null`: the text is not one. */
export function parseDuration(text: string): number | null {
  const [, amount, unit] = DURATION.exec(text) ?? []
  const factor = UNITS[unit ?? '']
  return amount === undefined || factor === undefined ? null : Math.round(Number(amount) * factor)
}

/** Formats a duration for `parseDuration`, in the largest unit that is exact. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms > 0 && ms % (UNITS[name] ?? 1) === 0)
  return unit === undefined ? (ms === 0 ? '0s' : `${ms}ms`) : `${ms / (UNITS[unit] ?? 1)}${unit}`
}
