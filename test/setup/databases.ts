import type { TestProject } from 'vitest/node'
import type { DatabaseName } from './database-names.ts'
import { startMariaDb } from './mariadb.ts'
import { startPostgres } from './postgres.ts'
import { missing } from './requirement.ts'
import type { DatabaseServer } from './server-process.ts'
import { makeTemplate, type Templates } from './templates.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Those that the suites of a project run on. */
    databases: readonly DatabaseName[]
    /** Where tests may make databases; `null` if there is no server, or the project is not about it. */
    mysqlUrl: string | null
    postgresUrl: string | null
    templates: Partial<Templates>
  }
}

/** A database that needs a server: one that is named, or one of the tests' own. */
interface Wanted {
  readonly provided: 'mysqlUrl' | 'postgresUrl'
  readonly variable: string
  readonly start: () => Promise<DatabaseServer | null>
  readonly vendors: string
  readonly why: string
}

const WANTED: Readonly<Record<'mysql' | 'postgres', Wanted>> = {
  mysql: {
    provided: 'mysqlUrl',
    variable: 'QSCOPE_TEST_MYSQL_URL',
    start: startMariaDb,
    vendors: 'MySQL/MariaDB',
    why: 'there is no server: install mariadb-server, or set QSCOPE_TEST_MYSQL_URL=mysql://user:password@host:port/',
  },
  postgres: {
    provided: 'postgresUrl',
    variable: 'QSCOPE_TEST_POSTGRES_URL',
    start: startPostgres,
    vendors: 'PostgreSQL',
    why: 'there is no server: install postgresql, or set QSCOPE_TEST_POSTGRES_URL=postgres://user:password@host:port/postgres',
  },
}

/**
 * Global set-up of each project that needs databases. What it finds or starts is the run's, for the projects that come
 * after it too; a project only sees the databases that it is about.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = project.vitest.getRootProject()
  const teardowns: (() => Promise<void>)[] = []
  const teardown = async () => {
    for (const undo of teardowns.toReversed()) await undo()
  }

  /** The URL of a server; `null`: there is none, which was said. */
  const findServer = async (name: 'mysql' | 'postgres') => {
    const { variable, start, vendors, why } = WANTED[name]
    const given = process.env[variable] ?? ''
    if (given !== '') return given
    const server = await start()
    if (server !== null) teardowns.push(() => server.stop())
    else missing(name, `everything on ${vendors} ("stores on ${name}", "migrations on ${name}")`, why)
    return server?.url ?? null
  }

  const prepare = async (name: DatabaseName) => {
    if (name in (root.getProvidedContext().templates ?? {})) return
    const server = name === 'sqlite' ? null : await findServer(name)
    if (name !== 'sqlite') root.provide(WANTED[name].provided, server)
    const { template, remove } = await makeTemplate(name, server)
    teardowns.push(remove)
    root.provide('templates', { ...root.getProvidedContext().templates, [name]: template })
  }

  const { databases } = project.getProvidedContext()
  // Some suites have tests of their own that SQLite is enough for.
  const outcomes = await Promise.allSettled([...new Set<DatabaseName>(['sqlite', ...databases])].map(prepare))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    await teardown()
    throw failed.reason
  }
  const { mysqlUrl, postgresUrl } = root.getProvidedContext()
  project.provide('mysqlUrl', databases.includes('mysql') ? mysqlUrl : null)
  project.provide('postgresUrl', databases.includes('postgres') ? postgresUrl : null)
  return teardown
}
