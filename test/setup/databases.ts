import type { TestProject } from 'vitest/node'
import { startMariaDb } from './mariadb.ts'
import { startPostgres } from './postgres.ts'
import { missing } from './requirement.ts'
import type { DatabaseServer } from './server-process.ts'
import { makeTemplates, type Templates } from './templates.ts'

declare module 'vitest' {
  /** Where tests may make databases; `null` if there is no server. */
  interface ProvidedContext {
    mysqlUrl: string | null
    postgresUrl: string | null
    templates: Templates
  }
}

/** A database that needs a server: one that is named, or one of the tests' own. */
interface Wanted {
  readonly name: string
  readonly provided: 'mysqlUrl' | 'postgresUrl'
  readonly variable: string
  readonly start: () => Promise<DatabaseServer | null>
  readonly vendors: string
  readonly why: string
}

const WANTED: readonly Wanted[] = [
  {
    name: 'mysql',
    provided: 'mysqlUrl',
    variable: 'QSCOPE_TEST_MYSQL_URL',
    start: startMariaDb,
    vendors: 'MySQL/MariaDB',
    why: 'there is no server: install mariadb-server, or set QSCOPE_TEST_MYSQL_URL=mysql://user:password@host:port/',
  },
  {
    name: 'postgres',
    provided: 'postgresUrl',
    variable: 'QSCOPE_TEST_POSTGRES_URL',
    start: startPostgres,
    vendors: 'PostgreSQL',
    why: 'there is no server: install postgresql, or set QSCOPE_TEST_POSTGRES_URL=postgres://user:password@host:port/postgres',
  },
]

/** Global set-up: finds or starts the servers that backends are tested on. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers: DatabaseServer[] = []
  const urls: Record<Wanted['provided'], string | null> = { mysqlUrl: null, postgresUrl: null }
  let removeTemplates: (() => Promise<void>) | null = null
  const stop = async () => {
    await removeTemplates?.()
    await Promise.all(servers.map((server) => server.stop()))
  }

  const provide = async ({ name, provided, variable, start, vendors, why }: Wanted) => {
    const given = process.env[variable] ?? ''
    const server = given === '' ? await start() : null
    if (server !== null) servers.push(server)
    const url = given === '' ? (server?.url ?? null) : given
    project.provide(provided, url)
    urls[provided] = url
    if (url === null) missing(name, `everything on ${vendors} ("stores on ${name}", "migrations on ${name}")`, why)
  }
  const outcomes = await Promise.allSettled(WANTED.map(provide))
  try {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    const { templates, remove } = await makeTemplates(urls.mysqlUrl, urls.postgresUrl)
    removeTemplates = remove
    project.provide('templates', templates)
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}
