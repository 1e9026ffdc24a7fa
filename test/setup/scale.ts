/** The scale of long suites: `QSCOPE_TEST_SCALE`, 1 for the full load. See docs/testing.md. */
const SCALE = Number(process.env['QSCOPE_TEST_SCALE'] ?? '0.05')

/** Whether long suites are run in full. */
export const inFull = SCALE >= 1

/** The scaled number of rounds, runs or calls, at least `least`. */
export function scaled(full: number, least = 1): number {
  return Math.max(least, Math.round(full * SCALE))
}
