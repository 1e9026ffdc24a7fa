import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { FirstAdmin, seedOf } from '../../src/app/database-setup.ts'
import type { AuditFollower } from '../../src/app/jobs/audit-follower.ts'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { AccessTokenFormat, AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UsageService } from '../../src/gen/qscope/v1/usage_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { openMigrations } from '../../src/stores/open.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { createSharedDatabase, type SharedDatabase } from '../setup/least-privilege.ts'
import { runSql } from '../setup/run-sql.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { usageFollower } from '../setup/usage-follower.ts'
import { quiet } from './given.ts'

const DAY = 86_400_000
/** For a loaded machine. */
const PATIENCE = { timeout: 90_000, interval: 50 }

/** The error of the database for a missing privilege. */
const DENIED = /denied|must be owner|must have/i

/** The statements of docs/databases.md. */
const GRANTED = [
  { name: 'mysql', administrator: inject('mysqlUrl'), tables: 'show tables', secrets: 'mysql.user' },
  { name: 'mariadb', administrator: inject('mariadbUrl'), tables: 'show tables', secrets: 'mysql.global_priv' },
  {
    name: 'postgres',
    administrator: inject('postgresUrl'),
    tables: "select table_name from information_schema.tables where table_schema = 'public'",
    secrets: 'pg_authid',
  },
]

for (const { name, administrator, tables, secrets } of GRANTED) {
  describe.skipIf(administrator === null)(`the grants of docs/databases.md on ${name}`, () => {
    const keyring = new Keyring(drawKeyMaterial())
    const first = new FirstAdmin(keyring)
    let database: SharedDatabase
    let server: TestServer
    let usage: AuditFollower

    beforeAll(async () => {
      database = await createSharedDatabase(administrator ?? '')
      const migrations = await openMigrations(database.ownerUrl, quiet)
      await migrations.up({ audit: 'grants', seed: seedOf(first, keyring) })
      await migrations.close()
      await database.grantServer()
      server = await startServer(database.serverUrl, keyring, first)
      usage = usageFollower(server)
      usage.start()
      // It counts from the start of its subscription.
      await vi.waitFor(
        async () => expect(await asAdmin('select name from oauth_audit_followers')).toHaveLength(1),
        PATIENCE,
      )
    })

    afterAll(async () => {
      await usage?.stop()
      await server?.stop()
      await database?.drop()
    })

    const asServer = (sql: string) => runSql(database.serverUrl, sql)
    const asAdmin = (sql: string) => runSql(database.adminUrl, sql)
    const allTables = async () => (await asAdmin(tables)).map((row) => String(Object.values(row)[0]))

    test('let a server issue, rotate, exchange and revoke tokens', async () => {
      const grants = grantsOn(server)
      const web = await grants.webClient()
      const signedIn = await grants.signIn(web)
      const rotated = await grants.refresh(web, signedIn.refreshToken)
      const service = await grants.serviceClient()
      await grants.exchangeToken(service, (await grants.mint(service)).accessToken)
      await server.call(TokenService.method.revokeToken, { client: web.client, token: rotated.refreshToken })
      expect(await grants.isActive(rotated.accessToken)).toBe(false)

      const device = await grants.deviceClient()
      const [approved, denied] = [await grants.startDevice(device), await grants.startDevice(device)]
      await grants.approveDevice(approved)
      await grants.denyDevice(denied)
      expect(await grants.isActive((await grants.redeemDevice(device, approved)).accessToken)).toBe(true)
      expect((await refusalOf(grants.redeemDevice(device, denied))).reason).toBe('OAUTH_DEVICE_ACCESS_DENIED')
    })

    test('let it create signing keys, and spend assertions', async () => {
      const pair = signingPair('ES256')
      const { clientId } = await server.registerClient({
        authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
        jwks: jwksOf(pair),
        config: { accessTokenFormat: AccessTokenFormat.JWT },
      })
      const claims = {
        iss: clientId,
        sub: clientId,
        aud: server.issuer,
        jti: server.unique('jti-'),
        exp: inSeconds(60),
      }
      const assertion = await signed(pair, claims)
      const client = { clientId, method: { case: 'clientAssertion' as const, value: assertion } }
      const { token } = await server.call(TokenService.method.mintToken, { client })
      expect(token?.accessToken).toMatch(/^eyJ/)
    })

    test('let it manage clients and users', async () => {
      const bearer = { bearer: server.admin.token }
      const { rotateClientSecret, listClientSecrets, revokeClientSecret, updateClient, deleteClient } =
        ClientService.method
      const { clientId } = await server.registerClient({ resourceAudiences: [server.unique('api-')] })
      await server.call(rotateClientSecret, { clientId, overlap: { seconds: 60n } }, bearer)
      const { secrets: kept } = await server.call(listClientSecrets, { clientId }, bearer)
      expect(kept.length).toBe(2)
      await server.call(revokeClientSecret, { clientId, secretId: kept[1]?.secretId ?? '' }, bearer)
      const change = { clientId, displayName: 'Other', resourceAudiences: [server.unique('api-')] }
      await server.call(updateClient, { client: change }, bearer)
      await server.call(deleteClient, { clientId }, bearer)

      const { registerUser, deactivateUser, reactivateUser, deleteUser } = UserService.method
      const { user } = await server.call(registerUser, { externalId: server.unique('user-') }, bearer)
      const { userId } = user ?? { userId: '' }
      await server.call(deactivateUser, { userId }, bearer)
      await server.call(reactivateUser, { userId }, bearer)
      await server.call(deleteUser, { userId }, bearer)
    })

    test('let it count used scopes, and list the counts', async () => {
      const { client, clientId } = await server.registerClient({ scopes: ['a', 'b'] })
      await server.call(TokenService.method.mintToken, { client, scopes: ['a'] })
      const bearer = { bearer: server.admin.token }
      const usages = async () => (await server.call(UsageService.method.listUsage, { clientId }, bearer)).usages
      await expect.poll(usages, PATIENCE).toMatchObject([{ clientId, neverUsedScopes: ['b'] }])
      await usage.stop()
    })

    test('let it purge expired rows, and read the audit log', async () => {
      await server.flush()
      // These are old enough by the clock of the database, which no test advances.
      await asAdmin('update oauth_revocations set forget_time = 0')
      server.clock.advance(60 * DAY)
      await server.app.purge.sweep()
      const round = await server.app.purge.round(Number.POSITIVE_INFINITY)
      expect(round?.complete).toBe(true)
      for (const deleted of Object.values(round?.deleted ?? {})) expect(deleted).toBeGreaterThan(0)

      server.admin.token = (await grantsOn(server).mint(server.admin)).accessToken
      expect((await server.auditEvents({})).length).toBeGreaterThan(10)
      expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([])
    })

    test('cover every table', async () => {
      const names = await allTables()
      expect(names).toContain('oauth_audit_log')
      for (const table of names) await asServer(`select 1 from ${table} where 1 = 0`)
    })

    test('do not let it update, delete or truncate audit events, even without triggers', async () => {
      const rows = () => asAdmin('select event_id, metadata from oauth_audit_log order by event_id')
      const before = await rows()
      for (const sql of [
        "update oauth_audit_log set metadata = '{}'",
        'update oauth_audit_log set sequence = sequence where 1 = 0',
        'delete from oauth_audit_log',
        'delete from oauth_audit_log where 1 = 0',
        'truncate table oauth_audit_log',
        'drop table oauth_audit_log',
      ]) {
        await expect(asServer(sql), sql).rejects.toThrow(DENIED)
      }
      expect(await rows()).toEqual(before)
      await runSql(database.ownerUrl, 'update oauth_audit_log set sequence = sequence where 1 = 0')
    })

    test('do not let it change the schema or the records of migrations', async () => {
      for (const sql of [
        'create table more (a int)',
        'create view oauth_more as select 1',
        'alter table oauth_clients add column more int',
        'create index more on oauth_clients (created_at)',
        'drop table oauth_clients',
        'truncate table oauth_access_tokens',
        'insert into qscope_migrations select * from qscope_migrations where 1 = 0',
        'update qscope_schema set id = id',
        'delete from qscope_migrations',
      ]) {
        await expect(asServer(sql), sql).rejects.toThrow(DENIED)
      }
      const migrations = await openMigrations(database.serverUrl, quiet)
      await expect(migrations.down()).rejects.toThrow(DENIED)
      await migrations.close()
    })

    test('do not let it read other tables', async () => {
      await runSql(database.ownerUrl, 'create table another (a int)')
      await expect(asServer('select * from another')).rejects.toThrow(DENIED)
      await expect(asServer(`select * from ${secrets}`)).rejects.toThrow(DENIED)
      await expect(asServer('create temporary table mine (a int)')).rejects.toThrow(DENIED)
    })
  })
}
