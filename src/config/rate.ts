/** How often something may happen, as a token bucket: so many at once, refilled so fast. */
export interface Rate {
  readonly burst: number
  readonly perMinute: number
}

const RATE = /^(\d{1,9})\/([smh])(?::(\d{1,9}))?$/
const PER_MINUTE: Readonly<Record<string, number>> = Object.freeze({ s: 60, m: 1, h: 1 / 60 })

/** Reads `10/s`, `600/m` or `600/m:1000`, the burst after the colon; without one it is the count. `null` if it is none. */
export function parseRate(text: string): Rate | null {
  const [, amount, unit, burst = amount] = RATE.exec(text) ?? []
  const factor = PER_MINUTE[unit ?? '']
  if (factor === undefined || Number(amount) < 1 || Number(burst) < 1) return null
  return Object.freeze({ burst: Number(burst), perMinute: Number(amount) * factor })
}

/** Writes a rate the way `parseRate` reads it. */
export function formatRate({ burst, perMinute }: Rate): string {
  const count = perMinute % 60 === 0 ? `${perMinute / 60}/s` : perMinute % 1 === 0 ? `${perMinute}/m` : null
  return `${count ?? `${Math.round(perMinute * 60)}/h`}:${burst}`
}
