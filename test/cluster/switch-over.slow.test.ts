import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { clientId } from '../../src/domain/ids.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import {
  type FreshDatabase,
  mysqlDatabases,
  mysqlDatabasesOn,
  postgresDatabases,
  postgresDatabasesOn,
} from '../setup/fresh-database.ts'
import { startMysql } from '../setup/mysql.ts'
import { startPostgres } from '../setup/postgres.ts'
import type { DatabaseServer } from '../setup/server-process.ts'
import { aClient, aToken, context, inTransaction, mint, options, quiet, register } from '../stores/given.ts'

const NAME = 'qscope_switched'

interface Site {
  /** The URL of a user for whom the read-only mode applies. */
  readonly url: string
  readonly query: FreshDatabase['query']
}

async function mysqlSite(server: DatabaseServer): Promise<Site & { setReadOnly(on: boolean): Promise<void> }> {
  const { query } = await mysqlDatabasesOn(server.url).create()
  await query(`create database ${NAME}`)
  await query(`create user 'app'@'%' identified by 'app'`)
  await query(`grant all on ${NAME}.* to 'app'@'%'`)
  const url = new URL(`/${NAME}`, server.url)
  url.username = 'app'
  url.password = 'app'
  return { url: url.href, query, setReadOnly: async (on) => void (await query(`set global read_only = ${on ? 1 : 0}`)) }
}

async function postgresSite(server: DatabaseServer): Promise<Site & { setReadOnly(on: boolean): Promise<void> }> {
  const { query } = await postgresDatabasesOn(server.url).create()
  await query(`create database ${NAME}`)
  const owner = new URL(server.url)
  owner.username = 'postgres'
  const { query: asOwner } = await postgresDatabasesOn(owner.href).create()
  return {
    url: new URL(`/${NAME}`, server.url).href,
    query,
    setReadOnly: async (on) => {
      await asOwner(`alter system set default_transaction_read_only = ${on ? 'on' : 'off'}`)
      await asOwner('select pg_reload_conf()')
      // Each session is signalled separately.
      await sleep(1_000)
    },
  }
}

const KINDS = [
  // With a binary log, an owner without more privileges can create triggers only with this option.
  {
    shared: mysqlDatabases,
    start: () => startMysql(['--log-bin-trust-function-creators=ON']),
    site: mysqlSite,
  },
  { shared: postgresDatabases, start: startPostgres, site: postgresSite },
]

for (const { shared, start, site } of KINDS) {
  describe.skipIf(!shared.available)(`a primary that becomes read-only, on ${shared.name}`, () => {
    const servers: DatabaseServer[] = []
    const opened: Backend[] = []
    afterEach(async () => {
      for (const backend of opened.splice(0)) await backend.close()
      await Promise.all(servers.splice(0).map((server) => server.stop()))
    })

    async function newSite() {
      const server = await start()
      if (server === null) throw new Error('there is no server to start')
      servers.push(server)
      const made = await site(server)
      const migrations = await openMigrations(made.url, quiet)
      await migrations.up()
      await migrations.close()
      const straight = await openBackend(made.url, options)
      await register(straight, aClient('someone'))
      await straight.close()
      return made
    }

    it('is replaced by a host that accepts writes, and used again when it accepts writes', async () => {
      const [first, second] = await Promise.all([newSite(), newSite()])
      const url = first.url.replace(/@([^/]+)/, `@$1,${new URL(second.url).host}`)
      const backend = await openBackend(url, options)
      opened.push(backend)
      const use = async () => {
        const token = aToken('someone')
        await mint(backend, token)
        await inTransaction(backend, (stores) => stores.clients.lock(clientId('someone')))
        // Reads go to the host of the writes, since the other one may be stale.
        expect(await backend.reads.accessTokens.findById(context(), token.tokenId)).not.toBeNull()
        expect(await backend.check()).toEqual({ serving: true })
      }
      await use()
      await first.setReadOnly(true)
      await use()
      await use()
      await second.setReadOnly(true)
      // The server tells its sessions after some time.
      const noHost = { serving: false, problem: expect.stringContaining('read-only') }
      await vi.waitFor(async () => expect(await backend.check()).toMatchObject(noHost), { timeout: 60_000 })
      await expect(mint(backend, aToken('someone'))).rejects.toMatchObject({ fault: 'unavailable' })
      await first.setReadOnly(false)
      await vi.waitFor(async () => expect(await backend.check()).toEqual({ serving: true }), { timeout: 60_000 })
      await use()
    }, 300_000)
  })
}
