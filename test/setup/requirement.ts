/** Reports the tests that cannot run on this machine, with the reason. Throws if `QSCOPE_TEST_REQUIRE` names the requirement. */
export function missing(requirement: string, skipped: string, why: string, cause?: unknown): void {
  if ((process.env['QSCOPE_TEST_REQUIRE'] ?? '').split(',').includes(requirement)) {
    throw new Error(`QSCOPE_TEST_REQUIRE names ${requirement}, but: ${why}`, { cause })
  }
  console.warn(`\n*** SKIPPED: ${skipped}: ${why} ***\n`)
}
