/** The databases that QScope runs on. */
export const DATABASES = ['sqlite', 'mysql', 'postgres'] as const

export type DatabaseName = (typeof DATABASES)[number]

/** The databases that this run of the tests is about: all, unless `QSCOPE_TEST_DATABASES` names some. */
export function askedDatabases(): readonly DatabaseName[] {
  const asked = process.env['QSCOPE_TEST_DATABASES']?.split(',') ?? DATABASES
  const unknown = asked.filter((name) => !DATABASES.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`QSCOPE_TEST_DATABASES names ${unknown.join()}; known: ${DATABASES.join()}`)
  return DATABASES.filter((name) => asked.includes(name))
}
