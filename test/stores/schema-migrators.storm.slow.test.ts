import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { openMigrations } from '../../src/stores/open.ts'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import { qscope, run, temporaryDirectory } from '../e2e/process.ts'
import { type Connection, connect } from '../setup/client.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { scaled } from '../setup/scale.ts'
import { catalogOf } from './catalog.ts'
import { quiet } from './given.ts'

const MIGRATORS = 10
const SERVERS = 2
const ROUNDS = scaled(20)
const ROUND_MS = 60_000
const NAMES = MIGRATIONS.map(({ name }) => name)

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`ten concurrent migrators on ${kind.name}`, () => {
    test(
      'create one schema, and servers wait until it is complete',
      async () => {
        const reference = await kind.create()
        onTestFinished(() => reference.drop())
        const migrations = await openMigrations(reference.url, quiet)
        await migrations.up()
        await migrations.close()
        const whole = await catalogOf(reference)

        for (let round = 0; round < ROUNDS; round += 1) {
          const directory = await temporaryDirectory()
          const database = await kind.create()
          const environment = {
            QSCOPE_DATABASE_URL: database.url,
            QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
            QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
          }
          const start = () => Array.from({ length: SERVERS }, () => qscope(directory, ['serve'], environment))
          const listening = async (servers: ReturnType<typeof start>) =>
            await Promise.all(servers.map(async (server) => connect((await server.until(/listens on (\S+)/))[1] ?? '')))

          // The first process that opens an embedded database migrates it; on other databases, servers wait for a migrator.
          const waiting = kind.dialect === 'sqlite' ? null : start()
          const early = waiting === null ? null : await listening(waiting)
          for (const server of early ?? []) expect(await healthOf(server)).toBe(Serving.NOT_SERVING)

          const migrators = Array.from({ length: MIGRATORS }, () =>
            run(directory, ['migrate', 'up', '--json'], environment),
          )
          const servers = waiting ?? start()
          const outcomes = await Promise.all(migrators)
          for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 0, stderr: '' })
          const applied = outcomes.map(({ stdout }) => JSON.parse(stdout).applied).filter((names) => names.length > 0)
          if (kind.dialect === 'sqlite') expect(applied.length).toBeLessThanOrEqual(1)
          else expect(applied).toEqual([NAMES])
          expect(await catalogOf(database)).toEqual(whole)

          const { clientId, clientSecret } = await admin(directory, environment)
          const client = { clientId, method: { case: 'clientSecret' as const, value: clientSecret } }
          for (const connection of early ?? (await listening(servers))) {
            await expect.poll(() => healthOf(connection), { timeout: 60_000 }).toBe(Serving.SERVING)
            const { token } = await connection.call(TokenService.method.mintToken, { client })
            expect(token?.accessToken).toMatch(/^qat_/)
            connection.close()
          }
          for (const server of servers) server.child.kill('SIGTERM')
          for (const server of servers) expect(await server.ended).toMatchObject({ code: 0 })
          await database.drop()
        }
      },
      ROUNDS * ROUND_MS,
    )
  })
}

async function healthOf(connection: Connection): Promise<Serving> {
  return (await connection.call(Health.method.check, {})).status
}

async function admin(directory: string, environment: Record<string, string>) {
  const create = ['client', 'create', '--local', '--admin', '--json', '--id', 'second-admin']
  const { code, stderr, stdout } = await run(directory, create, environment)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { client, clientSecret } = JSON.parse(stdout)
  return { clientId: String(client.clientId), clientSecret: String(clientSecret) }
}
