import { type Finding, ok, problem } from './finding.ts'

const EPOCH_OF_THIS_CODE = Date.UTC(2025, 0, 1)
const CLOCK_TOLERANCE_MS = 5_000

/** `newestEvent`: when the newest event of the audit log was written; `null`: nobody knows. */
export function examineClock(newestEvent: number | null): Finding {
  const now = Date.now()
  if (now < EPOCH_OF_THIS_CODE) {
    return problem('clock', `the clock says ${new Date(now).toISOString()}`, 'set the clock; run an NTP client')
  }
  if (newestEvent !== null && newestEvent > now + CLOCK_TOLERANCE_MS) {
    const ahead = Math.round((newestEvent - now) / 1_000)
    return problem(
      'clock',
      `the newest audit event lies ${ahead} s in the future`,
      'compare the clocks of all instances',
    )
  }
  return ok('clock', new Date(now).toISOString())
}
