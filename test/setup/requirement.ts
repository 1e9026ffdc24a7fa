/**
 * Says by name which tests cannot be run on this machine, and why; an error
 * where `QSCOPE_TEST_REQUIRE` names what is missing.
 */
export function missing(requirement: string, skipped: string, why: string, cause?: unknown): void {
  if ((process.env['QSCOPE_TEST_REQUIRE'] ?? '').split(',').includes(requirement)) {
    throw new Error(`QSCOPE_TEST_REQUIRE names ${requirement}, but: ${why}`, { cause })
  }
  console.warn(`\n*** SKIPPED: ${skipped}: ${why} ***\n`)
}
