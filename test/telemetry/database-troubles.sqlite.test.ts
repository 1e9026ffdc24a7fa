import { randomBytes } from 'node:crypto'
import Sqlite from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { refusalOf } from '../setup/client.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { startCollector } from './otlp-collector.ts'
import { parseExposition } from './parse-exposition.ts'

const { mintToken, introspectToken } = TokenService.method

describe('a failing database', () => {
  let collector: Awaited<ReturnType<typeof startCollector>>
  let database: FreshDatabase
  let server: TestServer
  let client: Awaited<ReturnType<TestServer['registerClient']>>['client']

  beforeAll(async () => {
    collector = await startCollector()
  })
  afterAll(() => collector.stop())
  beforeEach(async () => {
    database = await sqliteFiles.create()
    const variables = { QSCOPE_OTLP_ENDPOINT: collector.url, QSCOPE_TRACE_RATIO: '0' }
    server = await startServer(database.url, undefined, undefined, variables)
    client = (await server.registerClient({})).client
  })
  afterEach(async () => {
    await server.stop()
    await database.drop()
  })
  const value = async (name: string, labels: Record<string, string> = {}) =>
    parseExposition((await server.telemetry.metrics()).text).value(name, labels)

  it('causes retries while another process holds the lock, and no failures after its release', async () => {
    const other = new Sqlite(database.url.replace('sqlite:', ''))
    other.exec('begin immediate')
    const minted = server.call(mintToken, { client })
    await expect
      .poll(() => value('qscope_transaction_retries_total', { lane: 'append', cause: 'busy' }), { timeout: 4_000 })
      .toBeGreaterThan(0)
    other.exec('rollback')
    other.close()
    expect((await minted).token?.accessToken).toMatch(/^qat_/)
    for (const fault of ['unavailable', 'contended', 'broken', 'outcome_unknown']) {
      expect(await value('qscope_database_failures_total', { operation: 'append', fault }), fault).toBe(0)
    }
  })

  it('is visible in failures of look-ups and writes, by cause, and in spans', async () => {
    const { token } = await server.call(mintToken, { client })
    await database.query('alter table oauth_access_tokens rename to lost')
    const traceId = randomBytes(16).toString('hex')
    const metadata = { traceparent: `00-${traceId}-00000000000000ff-01` }
    const asked = { client, token: token?.accessToken ?? '' }
    const refused = await refusalOf(server.call(introspectToken, asked, { metadata }))
    expect(refused.status).toBe('INTERNAL')
    await refusalOf(server.call(mintToken, { client }))
    expect(await value('qscope_database_failures_total', { operation: 'read', fault: 'broken' })).toBe(1)
    expect(await value('qscope_database_failures_total', { operation: 'append', fault: 'broken' })).toBe(1)
    expect(await value('qscope_failures_total', { reason: 'OAUTH_SERVER_ERROR' })).toBe(2)
    const spans = () => collector.spans.filter((span) => span.traceId === traceId)
    await expect.poll(() => spans().filter(({ kind }) => kind === 'server').length, { timeout: 60_000 }).toBe(1)
    const failed = spans().filter((span) => span.failed)
    expect(failed.map(({ name, attributes }) => [name, attributes['error.type']]).toSorted()).toEqual([
      ['qscope.v1.TokenService/IntrospectToken', 'INTERNAL'],
      ['read batch access_tokens', 'broken'],
    ])
  })

  it('is visible in health, as is a stopping server', async () => {
    server.app.state.setServing(false)
    expect([await value('qscope_serving'), await value('qscope_draining')]).toEqual([0, 0])
    server.app.state.setServing(true)
    expect([await value('qscope_serving'), await value('qscope_draining')]).toEqual([1, 0])
    server.app.state.drain()
    expect([await value('qscope_serving'), await value('qscope_draining')]).toEqual([0, 1])
  })

  it('counts audit events of failed authentications that could not be written', async () => {
    await database.query('alter table oauth_audit_log rename to lost')
    const unknown = { clientId: 'nobody', method: { case: 'clientSecret' as const, value: 'guessed' } }
    await refusalOf(server.call(mintToken, { client: unknown }))
    await expect.poll(() => value('qscope_audit_write_failures_total')).toBe(1)
  })

  it('leaves the other metrics readable when the database cannot be asked for the signing keys', async () => {
    await database.query('alter table oauth_signing_keys rename to lost')
    expect(await value('qscope_signing_key_age_seconds')).toBeUndefined()
    expect(await value('qscope_serving')).toBe(1)
  })
})
