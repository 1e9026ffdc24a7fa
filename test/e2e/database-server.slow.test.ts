import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect, refusalOf } from '../setup/client.ts'
import { type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import { mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const { introspectToken, mintToken } = TokenService.method

for (const kind of [mysqlDatabases, postgresDatabases]) {
  describe.skipIf(!kind.available)(`a server on ${kind.name}`, () => {
    async function started() {
      const database = await kind.create()
      const proxy = await startProxy(database.url)
      const directory = await temporaryDirectory()
      const env = {
        QSCOPE_DATABASE_URL: proxy.url,
        QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
        QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
        QSCOPE_DATABASE_STATEMENT_TIMEOUT: '1s',
      }
      expect((await run(directory, ['migrate', 'up'], env)).code).toBe(0)
      const made = await run(directory, ['client', 'create', '--admin', '--json'], env)
      const { client: registered, clientSecret } = JSON.parse(made.stdout)
      const server = qscope(directory, ['serve'], env)
      const [, address = ''] = await server.until(/listens on (\S+)/)
      const connection = connect(address)
      onTestFinished(async () => {
        connection.close()
        server.child.kill('SIGKILL')
        await server.ended
        await proxy.close()
        await database.drop()
      })
      const client = { clientId: registered.clientId, method: { case: 'clientSecret' as const, value: clientSecret } }
      return {
        proxy,
        server,
        mint: async () => (await connection.call(mintToken, { client })).token?.accessToken ?? '',
        isActive: async (token: string) => (await connection.call(introspectToken, { client, token })).active,
        health: async () => (await connection.call(Health.method.check, {})).status,
      }
    }

    async function eventually<T>(look: () => Promise<T>, wanted: T): Promise<void> {
      for (const until = Date.now() + 15_000; (await look()) !== wanted; await sleep(50)) {
        if (Date.now() > until) expect(await look()).toBe(wanted)
      }
    }

    const outages: readonly {
      readonly what: string
      begin(proxy: DatabaseProxy): void
      end(proxy: DatabaseProxy): void
    }[] = [
      {
        what: 'refuses connections',
        begin: (proxy) => {
          proxy.refuse(true)
          proxy.cut()
        },
        end: (proxy) => proxy.refuse(false),
      },
      {
        what: 'does not answer',
        begin: (proxy) => proxy.freeze(),
        end: (proxy) => {
          proxy.thaw()
          proxy.cut()
        },
      },
    ]
    for (const { what, begin, end } of outages) {
      it(`reports NOT_SERVING while the database ${what}, and recovers without a restart`, async () => {
        const { proxy, server, mint, isActive, health } = await started()
        const before = await mint()
        begin(proxy)
        const refused = await refusalOf(mint())
        expect(refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
        expect(refused.details.retry).toBeDefined()
        expect((await refusalOf(isActive(before))).status).toBe('UNAVAILABLE')
        await eventually(health, Serving.NOT_SERVING)
        end(proxy)
        await eventually(health, Serving.SERVING)
        expect(await isActive(before)).toBe(true)
        expect(await isActive(await mint())).toBe(true)
        server.child.kill('SIGTERM')
        expect((await server.ended).code).toBe(0)
      }, 300_000)
    }
  })
}
