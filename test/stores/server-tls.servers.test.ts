import { chmodSync, chownSync, readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import { certificateAuthority, type Identity, suiteFolder } from '../setup/certificates.ts'
import { mysqlDatabases, mysqlDatabasesOn, postgresDatabases, postgresDatabasesOn } from '../setup/fresh-database.ts'
import { accountInsteadOfRoot } from '../setup/installed.ts'
import { startMysql } from '../setup/mysql.ts'
import { startPostgres } from '../setup/postgres.ts'
import type { DatabaseServer } from '../setup/server-process.ts'
import { options, quiet } from './given.ts'

const folder = suiteFolder()
chmodSync(folder, 0o755)
const authority = certificateAuthority(folder, 'database-ca')
const stranger = certificateAuthority(folder, 'another-ca')

/** The client of MySQL cannot check the certificate of an IP address. */
const nameOf = { sqlite: '', mysql: 'DNS:localhost', postgres: 'IP:127.0.0.1' }

const KINDS = [
  {
    shared: mysqlDatabases,
    on: mysqlDatabasesOn,
    start: ({ certFile, keyFile }: Identity) =>
      startMysql([`--ssl-ca=${authority.certFile}`, `--ssl-cert=${certFile}`, `--ssl-key=${keyFile}`]),
  },
  {
    shared: postgresDatabases,
    on: postgresDatabasesOn,
    start: ({ certFile, keyFile }: Identity) => {
      // The server requires that no other user can read its key.
      const account = accountInsteadOfRoot('postgres')
      if (account !== null) chownSync(keyFile, account.uid, account.gid)
      chmodSync(keyFile, 0o600)
      return startPostgres({ ssl: 'on', ssl_cert_file: certFile, ssl_key_file: keyFile })
    },
  },
]

for (const { shared, on, start } of KINDS) {
  describe.skipIf(!shared.available)(`TLS to ${shared.name}`, () => {
    const running: DatabaseServer[] = []
    afterAll(() => Promise.all(running.map((server) => server.stop())))

    async function urlOf(identity: Identity): Promise<string> {
      const server = await start(identity)
      if (server === null) throw new Error('there is no server to start')
      running.push(server)
      return on(server.url).name === 'postgres' ? server.url : `${server.url.replace('127.0.0.1', 'localhost')}mysql`
    }
    const ca = (file: string) => ({ tls: { ca: readFileSync(file, 'utf8') } })

    test('is used only with a server that has a certificate of the CA', async () => {
      const url = await urlOf(authority.issue(`db-${shared.name}`, [nameOf[shared.dialect]]))
      const migrations = await openMigrations(url, quiet, ca(authority.certFile))
      await migrations.status()
      await migrations.close()
      const backend = await openBackend(url, { ...options, connections: ca(authority.certFile) })
      const facts = await backend.diagnostics()
      expect(facts.find(({ name }) => name === 'tls')).toMatchObject({ value: expect.stringContaining('TLS') })
      await backend.close()
      await expect(openBackend(url, { ...options, connections: ca(stranger.certFile) })).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringContaining('certificate'),
      })
      // The CAs of the machine do not include a private one.
      await expect(openBackend(url, { ...options, connections: { tls: { ca: null } } })).rejects.toMatchObject({
        message: expect.stringContaining('certificate'),
      })
    })

    test('is refused with a server of another name', async () => {
      const url = await urlOf(authority.issue(`elsewhere-${shared.name}`, ['DNS:elsewhere.example']))
      await expect(openBackend(url, { ...options, connections: ca(authority.certFile) })).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringMatching(/certificate|altnames/i),
      })
    })
  })
}

test('TLS to mysql needs a host name that can be verified', async () => {
  const url = 'mysql://someone:secret@127.0.0.1:3306/qscope'
  await expect(
    openBackend(url, { ...options, connections: { tls: { ca: readFileSync(authority.certFile, 'utf8') } } }),
  ).rejects.toMatchObject({
    fault: 'unavailable',
    message: expect.stringContaining('by name'),
  })
})
