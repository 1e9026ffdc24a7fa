import type { FreshDatabase } from './fresh-database.ts'

const TABLES = ['oauth_audit_log', 'oauth_audit_heads', 'oauth_audit_roster']

/** An attacker with full access to the database but without keys. */
export function thief(database: FreshDatabase) {
  const run = async (...statements: readonly string[]) => {
    for (const statement of statements) await database.query(statement)
  }
  /** An owner of the database can remove the protection of the log. */
  const unlock = async () => {
    if (database.url.startsWith('postgres')) await run('alter table oauth_audit_log disable trigger user')
    else
      for (const what of ['update', 'delete', 'replace']) await run(`drop trigger if exists oauth_audit_log_no_${what}`)
  }
  return {
    run,
    unlock,
    /** Copies the whole log, including the heads. */
    keepCopy: async (name: string) => {
      for (const table of TABLES) await run(`create table ${table}_${name} as select * from ${table}`)
    },
    /** Restores the copied state. */
    putBack: async (name: string) => {
      for (const table of TABLES)
        await run(`delete from ${table}`, `insert into ${table} select * from ${table}_${name}`)
    },
    dropCopy: async (name: string) => {
      for (const table of TABLES) await run(`drop table ${table}_${name}`)
    },
  }
}
