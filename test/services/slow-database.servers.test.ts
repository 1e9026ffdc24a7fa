import { expect, onTestFinished, test } from 'vitest'
import { FindingState, ServerService } from '../../src/gen/qscope/v1/server_service_pb.ts'
import { startProxy } from '../setup/database-proxy.ts'
import { postgresDatabases } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'

/** In each direction: a check of health takes several times this. */
const DELAY_MS = 500

test.skipIf(!postgresDatabases.available)(
  'the status of a server on a slow database reports its health without asking it for all facts',
  async () => {
    const database = await postgresDatabases.create()
    onTestFinished(() => database.drop())
    const proxy = await startProxy(database.url)
    onTestFinished(() => proxy.close())
    const server = await startServer(proxy.url)
    onTestFinished(() => server.stop())

    proxy.delay(DELAY_MS)
    const { findings } = await server.call(ServerService.method.getServerStatus, {}, { bearer: server.admin.token })
    expect(findings.find(({ check }) => check === 'health')).toMatchObject({
      state: FindingState.PROBLEM,
      finding: 'the database did not answer within 2 s',
      advice: expect.stringContaining('docs/operations.md, "Health reports NOT_SERVING"'),
    })
    expect(findings.filter(({ check }) => check === 'database facts' || check === 'database version')).toEqual([])

    proxy.delay(0)
    await expect.poll(() => server.app.backend.check(), { timeout: 20_000 }).toEqual({ serving: true })
  },
)
