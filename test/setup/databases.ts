import type { TestProject } from 'vitest/node'
import { startMariaDb } from './mariadb.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where tests may make databases; `null` if there is no server. */
    mysqlUrl: string | null
  }
}

/** Global set-up: finds or starts the servers that backends are tested on. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['QSCOPE_TEST_MYSQL_URL']
  if (given !== undefined && given !== '') {
    project.provide('mysqlUrl', given)
    return async () => undefined
  }
  const server = await startMariaDb()
  project.provide('mysqlUrl', server?.url ?? null)
  if (server === null) {
    const how = 'install mariadb-server, or set QSCOPE_TEST_MYSQL_URL=mysql://user:password@host:port/'
    if ((process.env['QSCOPE_TEST_REQUIRE'] ?? '').split(',').includes('mysql')) {
      throw new Error(`QSCOPE_TEST_REQUIRE names mysql, but there is no server: ${how}`)
    }
    console.warn(`\n*** SKIPPED: everything on MySQL/MariaDB ("stores on mysql", "migrations on mysql"): ${how} ***\n`)
    return async () => undefined
  }
  return () => server.stop()
}
