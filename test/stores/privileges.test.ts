import { describe, expect, inject, test } from 'vitest'
import { openBackend } from '../../src/stores/open.ts'
import { createSharedDatabase } from '../setup/least-privilege.ts'
import { runSql } from '../setup/run-sql.ts'
import { options } from './given.ts'
import { onSchema } from './on-schema.ts'

const TIMEOUT_MS = 60_000
const SERVERS = [
  { name: 'mysql', url: inject('mysqlUrl') },
  { name: 'postgres', url: inject('postgresUrl') },
]

for (const { name, url } of SERVERS) {
  describe.skipIf(url === null)(`the privileges of a server's user on ${name}`, () => {
    const factsOf = async (databaseUrl: string) => {
      const backend = await openBackend(databaseUrl, options)
      try {
        const facts = await backend.facts()
        return Object.fromEntries(facts.map((fact) => [fact.name, fact]))
      } finally {
        await backend.close()
      }
    }

    test(
      'are those that the page grants; the owner has too many; what is missing is told as a grant',
      async () => {
        const shared = await createSharedDatabase(url ?? '')
        try {
          await onSchema({ url: shared.ownerUrl }, (migrations) => migrations.up())
          await shared.grantServer()
          expect(await factsOf(shared.serverUrl)).toMatchObject({
            missing_privileges: { value: 'none', concern: null },
            privileges: { concern: null },
          })
          expect(await factsOf(shared.ownerUrl)).toMatchObject({
            missing_privileges: { value: 'none' },
            privileges: { value: expect.stringContaining('owns the schema'), concern: expect.stringContaining('less') },
          })
          const server = new URL(shared.serverUrl).username
          const isMysql = name === 'mysql'
          const table = isMysql ? `${new URL(shared.serverUrl).pathname.slice(1)}.oauth_grants` : 'oauth_grants'
          const to = isMysql ? `'${server}'@'%'` : server
          await runSql(isMysql ? shared.adminUrl : shared.ownerUrl, `revoke update, delete on ${table} from ${to}`)
          const { missing_privileges: missing } = await factsOf(shared.serverUrl)
          expect(missing?.concern).toBe(`grant update, delete on ${table} to ${to};`)
          await runSql(isMysql ? shared.adminUrl : shared.ownerUrl, missing?.concern?.replace(/;$/, '') ?? '')
          expect(await factsOf(shared.serverUrl)).toMatchObject({ missing_privileges: { value: 'none' } })
        } finally {
          await shared.drop()
        }
      },
      TIMEOUT_MS,
    )
  })
}
