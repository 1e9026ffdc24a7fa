import { describe, expect, inject, test } from 'vitest'
import { openBackend } from '../../src/stores/open.ts'
import { NEEDED_PRIVILEGES } from '../../src/stores/sql/diagnostics.ts'
import { createSharedDatabase } from '../setup/least-privilege.ts'
import { runSql } from '../setup/run-sql.ts'
import { options } from './given.ts'
import { onSchema } from './on-schema.ts'

const TIMEOUT_MS = 180_000
const SERVERS = [
  // With its binary log, which is on by default, the documented owner cannot create triggers.
  { name: 'mysql', url: inject('mysqlUrl'), audit: 'grants' },
  { name: 'mariadb', url: inject('mariadbUrl'), audit: 'triggers' },
  { name: 'postgres', url: inject('postgresUrl'), audit: 'triggers' },
] as const

for (const { name, url, audit } of SERVERS) {
  describe.skipIf(url === null)(`the privileges of a server's user on ${name}`, () => {
    const factsOf = async (databaseUrl: string) => {
      const backend = await openBackend(databaseUrl, options)
      try {
        const facts = await backend.diagnostics()
        return Object.fromEntries(facts.map((fact) => [fact.name, fact]))
      } finally {
        await backend.close()
      }
    }

    test(
      'equal those of the page, and those of the owner are reported as too many',
      async () => {
        const shared = await createSharedDatabase(url ?? '')
        try {
          await onSchema({ url: shared.ownerUrl }, (migrations) => migrations.up({ audit }))
          await shared.grantServer()
          expect(await factsOf(shared.serverUrl)).toMatchObject({
            missing_privileges: { value: 'none', warning: null },
            privileges: { warning: null },
          })
          expect(await factsOf(shared.ownerUrl)).toMatchObject({
            missing_privileges: { value: 'none' },
            privileges: { value: expect.stringContaining('owns the schema'), warning: expect.stringContaining('less') },
          })
        } finally {
          await shared.drop()
        }
      },
      TIMEOUT_MS,
    )

    test(
      'are reported by name if missing, and the reported statement restores them',
      async () => {
        const shared = await createSharedDatabase(url ?? '')
        try {
          await onSchema({ url: shared.ownerUrl }, (migrations) => migrations.up({ audit }))
          await shared.grantServer()
          const server = new URL(shared.serverUrl).username
          const isMysql = name !== 'postgres'
          const to = isMysql ? `'${server}'@'%'` : server
          const prefix = isMysql ? `${new URL(shared.serverUrl).pathname.slice(1)}.` : ''
          const grantor = isMysql ? shared.adminUrl : shared.ownerUrl
          const backend = await openBackend(shared.serverUrl, options)
          try {
            const missing = async () => (await backend.diagnostics()).find((fact) => fact.name === 'missing_privileges')
            for (const [table, privileges] of Object.entries(NEEDED_PRIVILEGES)) {
              for (const privilege of privileges.map((one) => one.toLowerCase())) {
                await runSql(grantor, `revoke ${privilege} on ${prefix}${table} from ${to}`)
                const statement = `grant ${privilege} on ${prefix}${table} to ${to}`
                expect(await missing()).toEqual({
                  name: 'missing_privileges',
                  value: expect.stringContaining('lacks rights on 1 table'),
                  warning: `${statement};`,
                })
                await runSql(grantor, statement)
              }
            }
            expect(await missing()).toMatchObject({ value: 'none', warning: null })
          } finally {
            await backend.close()
          }
        } finally {
          await shared.drop()
        }
      },
      TIMEOUT_MS,
    )
  })
}
