import type { TestProject } from 'vitest/node'
import { type DatabaseName, type EmbeddedName, isEmbedded } from './database-names.ts'
import { startLibsql } from './libsql-server.ts'
import { startMariaDb } from './mariadb.ts'
import { startMysql } from './mysql.ts'
import { startPostgres } from './postgres.ts'
import { missing } from './requirement.ts'
import { runSql } from './run-sql.ts'
import { firstColumn } from './server-databases.ts'
import type { DatabaseServer } from './server-process.ts'
import { makeTemplate, type Templates } from './templates.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The databases of the project's suites. */
    databases: readonly DatabaseName[]
    /** Where tests may create databases. `null`: there is no server, or the project does not use it. */
    mysqlUrl: string | null
    mariadbUrl: string | null
    postgresUrl: string | null
    libsqlUrl: string | null
    templates: Partial<Templates>
  }
}

/** A database on a server: a given one, or one that the tests start. */
interface Wanted {
  readonly provided: 'mysqlUrl' | 'mariadbUrl' | 'postgresUrl' | 'libsqlUrl'
  readonly variable: string
  readonly start: () => Promise<DatabaseServer | null>
  readonly vendor: string
  /** The query, and the start of the expected answer. */
  readonly question: string
  readonly version: RegExp
  readonly why: string
}

type ServerName = Exclude<DatabaseName, EmbeddedName>

const WANTED: Readonly<Record<ServerName, Wanted>> = {
  mysql: {
    provided: 'mysqlUrl',
    variable: 'QSCOPE_TEST_MYSQL_URL',
    start: startMysql,
    vendor: 'MySQL',
    question: 'select version()',
    version: /^(?!.*MariaDB)/,
    why: 'there is no server: run scripts/install-mysql.sh, or set QSCOPE_TEST_MYSQL_URL=mysql://user:password@host:port/',
  },
  mariadb: {
    provided: 'mariadbUrl',
    variable: 'QSCOPE_TEST_MARIADB_URL',
    start: startMariaDb,
    vendor: 'MariaDB',
    question: 'select version()',
    version: /MariaDB/,
    why: 'there is no server: install mariadb-server, or set QSCOPE_TEST_MARIADB_URL=mysql://user:password@host:port/',
  },
  postgres: {
    provided: 'postgresUrl',
    variable: 'QSCOPE_TEST_POSTGRES_URL',
    start: startPostgres,
    vendor: 'PostgreSQL',
    question: 'select version()',
    version: /^PostgreSQL/,
    why: 'there is no server: install postgresql, or set QSCOPE_TEST_POSTGRES_URL=postgres://user:password@host:port/postgres',
  },
  'libsql-remote': {
    provided: 'libsqlUrl',
    variable: 'QSCOPE_TEST_LIBSQL_URL',
    start: startLibsql,
    vendor: 'libSQL',
    question: 'select sqlite_version()',
    version: /^3\./,
    why: 'there is no server: set QSCOPE_TEST_LIBSQL_URL=http://host:port',
  },
}

/**
 * Global set-up of each project with databases. Later projects of the run share what it finds or starts. A project sees only
 * its own databases.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = project.vitest.getRootProject()
  const teardowns: (() => Promise<void>)[] = []
  const teardown = async () => {
    for (const undo of teardowns.toReversed()) await undo()
  }

  /** The URL of a server. `null`: there is none, which was reported. */
  const findServer = async (name: ServerName) => {
    const { variable, start, vendor, question, version, why } = WANTED[name]
    const given = process.env[variable] ?? ''
    if (given !== '') {
      const [found = ''] = firstColumn(await runSql(given, question))
      if (!version.test(found)) throw new Error(`${variable} should name a server of ${vendor}, and it is ${found}`)
      return given
    }
    const server = await start()
    if (server !== null) teardowns.push(() => server.stop())
    else missing(name, `everything on ${vendor} ("stores on ${name}", "migrations on ${name}")`, why)
    return server?.url ?? null
  }

  const prepare = async (name: DatabaseName) => {
    if (name in (root.getProvidedContext().templates ?? {})) return
    const server = isEmbedded(name) ? null : await findServer(name)
    if (!isEmbedded(name)) root.provide(WANTED[name].provided, server)
    const { template, remove } = await makeTemplate(name, server)
    teardowns.push(remove)
    root.provide('templates', { ...root.getProvidedContext().templates, [name]: template })
  }

  const { databases } = project.getProvidedContext()
  // Some suites have tests that only need SQLite.
  const outcomes = await Promise.allSettled([...new Set<DatabaseName>(['sqlite', ...databases])].map(prepare))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    await teardown()
    throw failed.reason
  }
  const { mysqlUrl, mariadbUrl, postgresUrl, libsqlUrl } = root.getProvidedContext()
  project.provide('mysqlUrl', databases.includes('mysql') ? mysqlUrl : null)
  project.provide('mariadbUrl', databases.includes('mariadb') ? mariadbUrl : null)
  project.provide('postgresUrl', databases.includes('postgres') ? postgresUrl : null)
  project.provide('libsqlUrl', databases.includes('libsql-remote') ? libsqlUrl : null)
  return teardown
}
