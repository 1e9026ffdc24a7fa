/** The databases that QScope runs on. */
export const DATABASES = ['sqlite', 'mysql', 'mariadb', 'postgres'] as const

export type DatabaseName = (typeof DATABASES)[number]

/** What QScope speaks with them: MariaDB and MySQL are one dialect. */
export type DialectName = Exclude<DatabaseName, 'mariadb'>

/** Those that all suites run on. On the others run the suites that say what a database must do. */
export const COMMON_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'postgres']

/** The databases that this run of the tests is about: those that `QSCOPE_TEST_DATABASES` names, or else `otherwise`. */
export function askedDatabases(otherwise: readonly DatabaseName[] = DATABASES): readonly DatabaseName[] {
  const asked: readonly string[] = process.env['QSCOPE_TEST_DATABASES']?.split(',') ?? otherwise
  const unknown = asked.filter((name) => !DATABASES.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`QSCOPE_TEST_DATABASES names ${unknown.join()}; known: ${DATABASES.join()}`)
  return DATABASES.filter((name) => asked.includes(name))
}
