import type { DialectAdapter } from 'kysely'

/** Kysely's own lock around migrations is not needed: the session's is taken before, and holds longer. */
export function withoutMigrationLock(adapter: DialectAdapter): DialectAdapter {
  const nothing = async () => undefined
  return Object.assign(adapter, { acquireMigrationLock: nothing, releaseMigrationLock: nothing })
}
