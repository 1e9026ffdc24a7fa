/** How much of a long suite is run: `QSCOPE_TEST_SCALE`, 1 in full; see docs/testing.md. */
const SCALE = Number(process.env['QSCOPE_TEST_SCALE'] ?? '0.05')

/** Whether long suites are run in full. */
export const inFull = SCALE >= 1

/** The scaled count of rounds, runs or calls: at least `least`. */
export function scaled(full: number, least = 1): number {
  return Math.max(least, Math.round(full * SCALE))
}
