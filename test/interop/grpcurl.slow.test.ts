import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { GRPCURL, hasGrpcurl } from '../setup/grpcurl.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { run } from './toolchain.ts'

const TOKENS = 'qscope.v1.TokenService'

describe.skipIf(!hasGrpcurl)('grpcurl', () => {
  let database: FreshDatabase
  let server: TestServer
  let orders: Awaited<ReturnType<TestServer['registerClient']>>
  beforeAll(async () => {
    database = await sqliteFiles.create()
    server = await startServer(database.url)
    orders = await server.registerClient({ clientId: 'orders', scopes: ['orders.read'] })
  })
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })

  const grpcurl = (...args: string[]) => run(GRPCURL, ['-plaintext', ...args])
  const call = async (method: string, request: object, ...headers: string[]) => {
    const options = headers.flatMap((header) => ['-H', header])
    return JSON.parse(await grpcurl(...options, '-d', JSON.stringify(request), server.address, method))
  }
  const inBody = () => ({ client_id: orders.clientId, client_secret: orders.clientSecret })
  const asHeader = () => {
    const pair = Buffer.from(`${orders.clientId}:${orders.clientSecret}`).toString('base64')
    return `authorization: Basic ${pair}`
  }

  it('lists services and methods by reflection', async () => {
    const services = (await grpcurl(server.address, 'list')).trim().split('\n')
    expect(services).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'qscope.v1.AuditService',
      'qscope.v1.ClientService',
      'qscope.v1.DeviceService',
      'qscope.v1.KeyService',
      'qscope.v1.ServerService',
      TOKENS,
      'qscope.v1.TrustService',
      'qscope.v1.UsageService',
      'qscope.v1.UserService',
    ])
    const methods = (await grpcurl(server.address, 'list', TOKENS)).trim().split('\n')
    expect(methods.toSorted()).toEqual(TokenService.methods.map(({ name }) => `${TOKENS}.${name}`).toSorted())
  })

  it('describes the access rule of a method, and the fields of its request', async () => {
    const method = await grpcurl(server.address, 'describe', `${TOKENS}.RevokeTokens`)
    expect(method).toContain('rpc RevokeTokens ( .qscope.v1.RevokeTokensRequest )')
    expect(method).toMatch(/option \(\.qscope\.v1\.access\) = \{\s*permission: "qscope:tokens\.revoke"/)
    const request = await grpcurl(server.address, 'describe', 'qscope.v1.MintTokenRequest')
    expect(request).toMatch(/\.google\.protobuf\.Duration lifetime = 4/)
  })

  it('describes services, methods and fields with the comments of their source', async () => {
    const method = await grpcurl(server.address, 'describe', `${TOKENS}.RevokeTokens`)
    expect(method).toMatch(/\/\/ RevokeTokens revokes one token/)
    const service = await grpcurl(server.address, 'describe', 'qscope.v1.AuditService')
    expect(service).toMatch(/\/\/ AuditService reads the append-only log/)
    const request = await grpcurl(server.address, 'describe', 'qscope.v1.ListAuditEventsRequest')
    expect(request).toMatch(/\/\/ event_types selects events of these types/)
  })

  it('mints with the secret in the request or in the header, and verifies', async () => {
    const { token: first } = await call(`${TOKENS}/MintToken`, { client: inBody(), lifetime: '60s' })
    expect(first).toMatchObject({
      tokenType: 'Bearer',
      expiresIn: expect.stringMatching(/^(60|59)s$/),
      scopes: ['orders.read'],
    })
    const { token: second } = await call(`${TOKENS}/MintToken`, {}, asHeader())
    const verified = await call(`${TOKENS}/VerifyToken`, { token: second.accessToken }, asHeader())
    expect(verified.claims).toMatchObject({ clientId: 'orders', tokenId: second.tokenId, tokenUse: 'TOKEN_USE_ACCESS' })
  })

  it('manages clients with a bearer token', async () => {
    const bearer = `authorization: Bearer ${server.admin.token}`
    const { client } = await call('qscope.v1.ClientService/GetClient', { client_id: 'orders' }, bearer)
    expect(client).toMatchObject({ clientId: 'orders', type: 'CLIENT_TYPE_CONFIDENTIAL', enabled: true })
  })

  it('decodes the details of a refusal', async () => {
    const wrong = { client: { ...inBody(), client_secret: 'wrong' } }
    const options = ['-H', 'x-ray-id: asked-with-grpcurl', '-format-error']
    const refused = grpcurl(...options, '-d', JSON.stringify(wrong), server.address, `${TOKENS}/MintToken`)
    const { message } = await refused.then(
      () => Promise.reject(new Error('the call was not refused')),
      (error: Error) => error,
    )
    const { code, details } = JSON.parse(message.slice(message.indexOf('{\n')))
    expect(code).toBe(16)
    expect(details).toContainEqual({
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'OAUTH_INVALID_CLIENT',
      domain: 'qscope',
      metadata: { oauth_error: 'invalid_client' },
    })
    expect(details).toContainEqual({
      '@type': 'type.googleapis.com/google.rpc.RequestInfo',
      requestId: 'asked-with-grpcurl',
    })
  })

  it('reads a stream until its deadline', async () => {
    const refused = grpcurl(
      '-max-time',
      '1',
      '-d',
      '{"service":"qscope.v1.TokenService"}',
      server.address,
      'grpc.health.v1.Health/Watch',
    )
    await expect(refused).rejects.toThrow(/"status": "SERVING"[\s\S]*DeadlineExceeded/)
  })
})
