import { afterEach, describe, expect, test } from 'vitest'
import { clientId, epochMs } from '../../src/domain/ids.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import { type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import { type FreshDatabase, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { scaled } from '../setup/scale.ts'
import { startServer } from '../setup/server.ts'
import {
  aClient,
  aToken,
  context,
  inTransaction,
  mint,
  openMigrated,
  options,
  ownTransaction,
  quiet,
  register,
} from './given.ts'

const CONNECT_MS = 500
const LIMITS = { poolSize: 5, connectTimeoutMs: CONNECT_MS, statementTimeoutMs: 20_000 }
/** The time allowed after a deadline, and for the database to recover: less than any other time limit. */
const LATE_MS = 10_000
const RECOVERY_MS = CONNECT_MS + 10_000
const DEADLINE_MS = 1_500
const TIMEOUT_MS = 120_000
const POLL = { timeout: TIMEOUT_MS / 2 }

for (const kind of [mysqlDatabases, postgresDatabases]) {
  describe.skipIf(!kind.available)(`a network to ${kind.name} that drops all packets`, () => {
    let database: FreshDatabase
    let proxy: DatabaseProxy
    const opened: Backend[] = []
    afterEach(async () => {
      const closing = performance.now()
      for (const backend of opened.splice(0)) await backend.close()
      expect(performance.now() - closing).toBeLessThan(10_000)
      await proxy.close()
      await database.drop()
    })

    async function given(): Promise<Backend> {
      database = await kind.createMigrated()
      const straight = await openMigrated(database)
      await register(straight, aClient('someone'))
      await straight.close()
      proxy = await startProxy(database.url)
      const backend = await openBackend(proxy.url, { ...options, connections: LIMITS })
      opened.push(backend)
      return backend
    }

    const someone = clientId('someone')
    const byDeadline = () => context({ deadline: epochMs(Date.now() + DEADLINE_MS) })
    /** Runs one call of every kind, and returns the time of the slowest. */
    async function burst(backend: Backend) {
      const began = performance.now()
      const calls = Array.from({ length: 20 }, () => [
        backend.append(byDeadline(), (stores) => void stores.accessTokens.insert(aToken('someone'))),
        ownTransaction(backend, byDeadline(), async ({ clients }) => ({
          commit: true,
          value: await clients.lock(someone),
        })),
        backend.transaction(byDeadline(), async ({ clients }) => ({
          commit: true,
          value: await clients.lock(someone),
        })),
      ])
      const outcomes = await Promise.allSettled(calls.flat())
      return { tookMs: performance.now() - began, outcomes }
    }
    async function works(backend: Backend): Promise<void> {
      await Promise.all([
        mint(backend, aToken('someone')),
        inTransaction(backend, (stores) => stores.clients.lock(someone)),
        backend.reads.clients.find(context(), someone),
        backend.reads.users.page(context(), { active: null, owner: null }, { after: null, limit: 1 }),
      ])
    }
    async function recovers(backend: Backend): Promise<number> {
      const began = performance.now()
      for (;;) {
        try {
          await works(backend)
          return performance.now() - began
        } catch (error) {
          if (performance.now() - began > 2 * RECOVERY_MS) throw error
        }
      }
    }

    /** From the handshake to established connections. */
    const MOST_PACKETS = 26
    const step = Math.floor(MOST_PACKETS / scaled(MOST_PACKETS, 6))
    const PACKETS = Array.from({ length: MOST_PACKETS }, (_, packets) => packets).filter((at) => at % step === 0)
    test.each(PACKETS)(
      'after %i packets of each new connection: calls end at their deadline, and service recovers in time',
      { timeout: TIMEOUT_MS },
      async (packets) => {
        const backend = await given()
        await works(backend)
        proxy.goDumbAfter(packets)
        proxy.cut()
        const { tookMs, outcomes } = await burst(backend)
        expect(tookMs).toBeLessThan(DEADLINE_MS + LATE_MS)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toHaveProperty('fault')
        }
        proxy.goDumbAfter(null)
        expect(await recovers(backend)).toBeLessThan(RECOVERY_MS)
      },
    )

    test(
      'with open idle connections: calls end at their deadline, and service recovers in time',
      async () => {
        const backend = await given()
        await works(backend)
        await burst(backend)
        // Open connections drop packets for good.
        proxy.goDumbAfter(0)
        const { tookMs } = await burst(backend)
        expect(tookMs).toBeLessThan(DEADLINE_MS + LATE_MS)
        proxy.goDumbAfter(null)
        expect(await recovers(backend)).toBeLessThan(RECOVERY_MS)
      },
      TIMEOUT_MS,
    )

    test(
      'ends every call at its deadline, also during look-ups',
      async () => {
        database = await kind.createMigrated()
        proxy = await startProxy(database.url)
        const server = await startServer(proxy.url, undefined, undefined, {
          QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
          QSCOPE_DATABASE_CONNECT_TIMEOUT: '1s',
        })
        const { client, token } = server.admin
        const { mintToken, introspectToken, listTokens } = TokenService.method
        const calls = (deadlineMs: number): Promise<unknown>[] => [
          server.call(mintToken, { client }, { deadlineMs }),
          server.call(introspectToken, { client, token }, { deadlineMs }),
          server.call(introspectToken, { client, token: server.unknownToken() }, { deadlineMs }),
          server.call(listTokens, {}, { bearer: token, deadlineMs }),
          server.call(ClientService.method.getClient, { clientId: client.clientId }, { bearer: token, deadlineMs }),
          server.call(UserService.method.listUsers, {}, { bearer: token, deadlineMs }),
          server.stream(DeviceService.method.watchDeviceAuthorization, { client }, { deadlineMs }).ended,
          fetch(`${server.httpUrl}/qscope.v1.TokenService/IntrospectToken`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'connect-timeout-ms': String(deadlineMs) },
            body: JSON.stringify({ client: { clientId: client.clientId, clientSecret: client.method.value }, token }),
          }),
        ]
        await Promise.allSettled(calls(TIMEOUT_MS))
        const isOfCall = ({ msg }: Record<string, unknown>) => msg === 'call'
        const before = server.lines.filter(isOfCall).length
        proxy.freeze()
        const running = calls(DEADLINE_MS)
        await Promise.allSettled(running)
        await expect.poll(() => server.lines.filter(isOfCall).length - before, POLL).toBe(running.length)
        for (const line of server.lines.filter(isOfCall).slice(before)) {
          expect(line).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
          expect(line['durationMs']).toBeLessThan(DEADLINE_MS + LATE_MS)
        }
        proxy.thaw()
        proxy.cut()
        await server.call(mintToken, { client }, { deadlineMs: TIMEOUT_MS })
        await server.stop()
      },
      TIMEOUT_MS,
    )

    test.each([0, 2, 5, 8])(
      'after %i packets: commands that open the database do not hang',
      async (packets) => {
        await given()
        proxy.goDumbAfter(packets)
        const began = performance.now()
        await expect(openBackend(proxy.url, { ...options, connections: LIMITS })).rejects.toMatchObject({
          fault: 'unavailable',
        })
        await expect(openMigrations(proxy.url, quiet, LIMITS)).rejects.toMatchObject({ fault: 'unavailable' })
        expect(performance.now() - began).toBeLessThan(2 * RECOVERY_MS)
      },
      TIMEOUT_MS,
    )

    // The handshake of PostgreSQL takes two more packets.
    test.each([5, 7])(
      'after %i packets: the next host is used, whose session can be set up',
      async (packets) => {
        await given()
        const other = await startProxy(database.url)
        proxy.goDumbAfter(packets)
        const both = database.url.replace(/@[^/]+\//, `@${proxy.address},${other.address}/`)
        const backend = await openBackend(both, { ...options, connections: LIMITS })
        opened.push(backend)
        await works(backend)
        await backend.close()
        await other.close()
      },
      TIMEOUT_MS,
    )
  })
}
