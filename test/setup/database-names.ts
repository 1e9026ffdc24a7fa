/** The databases that QScope runs on. */
export const DATABASES = ['sqlite', 'mysql', 'mariadb', 'postgres', 'libsql', 'libsql-remote'] as const

export type DatabaseName = (typeof DATABASES)[number]

/** The SQL dialect and schema of a database: MariaDB uses MySQL's, libSQL uses SQLite's. */
export type DialectName = 'sqlite' | 'mysql' | 'postgres'

export const DIALECTS: Readonly<Record<DatabaseName, DialectName>> = {
  sqlite: 'sqlite',
  mysql: 'mysql',
  mariadb: 'mysql',
  postgres: 'postgres',
  libsql: 'sqlite',
  'libsql-remote': 'sqlite',
}

/** Databases in a file that the process opens. */
export type EmbeddedName = 'sqlite' | 'libsql'

export function isEmbedded(name: DatabaseName): name is EmbeddedName {
  return name === 'sqlite' || name === 'libsql'
}

/** The databases of all suites. The others run only the suites that define what a database must do. */
export const COMMON_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'postgres']

/** The default databases of suites with hundreds of calls. A call takes several requests with libSQL on a server. */
export const QUICK_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'mariadb', 'postgres', 'libsql']

/** The databases of suites that take minutes. libSQL shares SQLite's code. */
export const LONG_DATABASES: readonly DatabaseName[] = ['sqlite', 'mysql', 'mariadb', 'postgres']

/** The databases of this run: those in `QSCOPE_TEST_DATABASES`, otherwise `otherwise`. */
export function askedDatabases(otherwise: readonly DatabaseName[] = DATABASES): readonly DatabaseName[] {
  const asked: readonly string[] = process.env['QSCOPE_TEST_DATABASES']?.split(',') ?? otherwise
  const unknown = asked.filter((name) => !DATABASES.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`QSCOPE_TEST_DATABASES names ${unknown.join()}; known: ${DATABASES.join()}`)
  return DATABASES.filter((name) => asked.includes(name))
}
