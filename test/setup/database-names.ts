/** The databases that QScope runs on. */
export const DATABASES = ['sqlite', 'mysql', 'mariadb', 'postgres', 'libsql', 'libsql-remote'] as const

export type DatabaseName = (typeof DATABASES)[number]

/** Whose SQL they understand, and whose schema they have: MariaDB that of MySQL, libSQL that of SQLite. */
export type DialectName = 'sqlite' | 'mysql' | 'postgres'

export const DIALECTS: Readonly<Record<DatabaseName, DialectName>> = {
  sqlite: 'sqlite',
  mysql: 'mysql',
  mariadb: 'mysql',
  postgres: 'postgres',
  libsql: 'sqlite',
  'libsql-remote': 'sqlite',
}

/** Those that are a file, which the process opens. */
export type EmbeddedName = 'sqlite' | 'libsql'

export function isEmbedded(name: DatabaseName): name is EmbeddedName {
  return name === 'sqlite' || name === 'libsql'
}

/** Those that all suites run on. On the others run the suites that say what a database must do. */
export const COMMON_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'postgres']

/** Those that suites with hundreds of calls run on unasked: a call costs several requests on libSQL on a server. */
export const QUICK_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'mariadb', 'postgres', 'libsql']

/** Those that suites of minutes run on; what is said of SQLite there holds for libSQL, which shares its code. */
export const LONG_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'mariadb', 'postgres']

/** The databases that this run of the tests is about: those that `QSCOPE_TEST_DATABASES` names, or else `otherwise`. */
export function askedDatabases(otherwise: readonly DatabaseName[] = DATABASES): readonly DatabaseName[] {
  const asked: readonly string[] = process.env['QSCOPE_TEST_DATABASES']?.split(',') ?? otherwise
  const unknown = asked.filter((name) => !DATABASES.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`QSCOPE_TEST_DATABASES names ${unknown.join()}; known: ${DATABASES.join()}`)
  return DATABASES.filter((name) => asked.includes(name))
}
