import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IntrospectTokenRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { goProgram } from '../setup/go-programs.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'
import { scaled } from '../setup/scale.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { parseExposition } from '../telemetry/parse-exposition.ts'
import { run } from './toolchain.ts'

const GHZ = goProgram('ghz', 'calls in great number by ghz')
const H2LOAD = installed('h2load')
if (H2LOAD === null) missing('h2load', 'calls in great number by h2load', 'install nghttp2-client')
const CALLS = scaled(50_000, 1_000)
const CONNECTIONS = 8

describe('load generators', () => {
  let database: FreshDatabase
  let server: TestServer
  let folder: string
  let token: string
  let orders: Awaited<ReturnType<TestServer['registerClient']>>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'qscope-load-'))
    database = await sqliteFiles.create()
    server = await startServer(database.url)
    orders = await server.registerClient({ clientId: 'orders', scopes: ['orders.read'] })
    const minted = await server.call(TokenService.method.mintToken, { client: orders.client })
    token = minted.token?.accessToken ?? ''
  })
  afterAll(async () => {
    await server.stop()
    await database.drop()
    rmSync(folder, { recursive: true, force: true })
  })
  /** The number of successful introspections. */
  const succeeded = async () => {
    const labels = { service: 'qscope.v1.TokenService', method: 'IntrospectToken', code: 'OK' }
    return parseExposition((await server.telemetry.metrics()).text).value('qscope_calls_total', labels) ?? 0
  }

  it.skipIf(GHZ === null)('get an answer to each call with ghz', async () => {
    const request = { client: { client_id: orders.clientId, client_secret: orders.clientSecret }, token }
    const amount = ['-n', `${CALLS}`, '-c', '32', '--connections', `${CONNECTIONS}`]
    const what = ['--insecure', '--call', 'qscope.v1.TokenService.IntrospectToken', '-d', JSON.stringify(request)]
    const report = JSON.parse(await run(GHZ ?? '', [...what, ...amount, '-O', 'json', server.address]))
    expect(report).toMatchObject({ count: CALLS, statusCodeDistribution: { OK: CALLS } })
    expect(report.errorDistribution ?? {}).toEqual({})
  })

  it.skipIf(H2LOAD === null)('get an answer to each call with h2load', async () => {
    const body = toBinary(
      IntrospectTokenRequestSchema,
      create(IntrospectTokenRequestSchema, { client: orders.client, token }),
    )
    const file = join(folder, 'request')
    const prefix = Buffer.alloc(5)
    prefix.writeUInt32BE(body.byteLength, 1)
    writeFileSync(file, Buffer.concat([prefix, body]))
    const before = await succeeded()
    const amount = ['-n', `${CALLS}`, '-c', `${CONNECTIONS}`, '-m', '32']
    const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers']
    const url = `http://${server.address}/qscope.v1.TokenService/IntrospectToken`
    const report = await run(H2LOAD ?? '', [...amount, ...headers, '-d', file, url])
    expect(report).toContain(`${CALLS} succeeded, 0 failed, 0 errored, 0 timeout`)
    // h2load does not read grpc-status.
    expect((await succeeded()) - before).toBe(CALLS)
  })
})
