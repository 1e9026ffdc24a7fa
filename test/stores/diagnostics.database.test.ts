import { describe, expect, test } from 'vitest'
import { databaseKinds } from '../setup/fresh-database.ts'
import { openMigrated, warningsOf } from './given.ts'

/** The facts that a database of each kind reports with any settings. */
const TOLD = {
  sqlite: ['version', 'file', 'journal_mode', 'synchronous', 'foreign_keys'],
  mysql: [
    'version',
    'isolation',
    'session',
    'collation',
    'innodb_flush_log_at_trx_commit',
    'read_only',
    'max_connections',
  ],
  postgres: [
    'version',
    'isolation',
    'session',
    'encoding',
    'synchronous_commit',
    'fsync',
    'full_page_writes',
    'max_connections',
  ],
}

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`the facts of a database on ${kind.name}`, () => {
    test("are reported by a backend, without warnings about QScope's own settings", async () => {
      const database = await kind.create()
      const backend = await openMigrated(database)
      try {
        const facts = await backend.diagnostics()
        const names = facts.map(({ name }) => name)
        for (const name of TOLD[kind.dialect]) expect(names).toContain(name)
        if (kind.dialect !== 'sqlite')
          for (const name of ['clock', 'tls', 'audit_log_changes']) expect(names).toContain(name)
        const ours = new Set([
          'isolation',
          'session',
          'collation',
          'journal_mode',
          'synchronous',
          'foreign_keys',
          'read_only',
        ])
        expect(warningsOf(facts).filter(({ name }) => ours.has(name))).toEqual([])
      } finally {
        await backend.close()
        await database.drop()
      }
    })
  })
}
