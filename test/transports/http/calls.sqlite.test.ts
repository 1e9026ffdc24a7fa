import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { createGrpcWebTransport as createBrowserTransport } from '@connectrpc/connect-web'
import { describe, expect, it } from 'vitest'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../../../src/gen/google/rpc/error_details_pb.ts'
import { ClientType, GrantType } from '../../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceAuthorizationState, DeviceService } from '../../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { decodeDetails, refusalOf } from '../../setup/client.ts'
import { connectErrorOf, post, startApplication } from './application.ts'

const server = await startApplication({ QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off' })
const { httpUrl: url } = server
const orders = await server.registerClient({ clientId: 'orders', scopes: ['orders.read', 'orders.write'] })
const proof = { clientId: orders.clientId, clientSecret: orders.clientSecret }
const basic = (id: string, secret: string) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` })
const asOrders = basic(orders.clientId, orders.clientSecret)

const transports: readonly (readonly [string, Transport])[] = [
  ['Connect, JSON', createConnectTransport({ baseUrl: url, httpVersion: '1.1', useBinaryFormat: false })],
  ['Connect, binary', createConnectTransport({ baseUrl: url, httpVersion: '1.1', useBinaryFormat: true })],
  ['gRPC-Web, binary', createGrpcWebTransport({ baseUrl: url, httpVersion: '1.1' })],
  ['gRPC-Web, JSON', createGrpcWebTransport({ baseUrl: url, httpVersion: '1.1', useBinaryFormat: false })],
  ["gRPC-Web, a browser's client", createBrowserTransport({ baseUrl: url })],
]

/** The details of an error, decoded like those of a gRPC status. */
function detailsOf(error: ConnectError) {
  const schemas = [
    ErrorInfoSchema,
    RequestInfoSchema,
    HelpSchema,
    RetryInfoSchema,
    BadRequestSchema,
    ResourceInfoSchema,
    QuotaFailureSchema,
  ]
  return decodeDetails({
    details: schemas.flatMap((schema) =>
      error.findDetails(schema).map((found) => anyPack(schema, create(schema, found))),
    ),
  })
}

describe.each(transports)('%s', (_name, transport) => {
  const tokens = createClient(TokenService, transport)
  const clients = createClient(ClientService, transport)
  const devices = createClient(DeviceService, transport)

  it('mints a token that is valid over gRPC', async () => {
    const { token } = await tokens.mintToken({ client: orders.client, scopes: ['orders.read'] })
    expect(token?.scopes).toEqual(['orders.read'])
    const seen = await server.call(TokenService.method.introspectToken, {
      client: orders.client,
      token: token?.accessToken ?? '',
    })
    expect(seen).toMatchObject({ active: true, claims: { clientId: 'orders' } })
  })

  it('accepts Basic and Bearer in the header, and refuses both at once', async () => {
    const { token } = await tokens.mintToken({}, { headers: asOrders })
    expect(token?.scopes).toEqual(['orders.read', 'orders.write'])
    const bearer = { authorization: `Bearer ${server.admin.token}` }
    const { client } = await clients.getClient({ clientId: 'orders' }, { headers: bearer })
    expect(client?.clientId).toBe('orders')
    const error = await connectErrorOf(tokens.mintToken({ client: orders.client }, { headers: asOrders }))
    expect(error.code).toBe(Code.InvalidArgument)
    expect(detailsOf(error).badRequest?.fieldViolations.map(({ field }) => field)).toEqual(['client', 'authorization'])
  })

  it.each([
    ['a wrong secret', { client: { clientId: 'orders', method: { case: 'clientSecret' as const, value: 'wrong' } } }],
    ['a scope too many', { client: orders.client, scopes: ['payroll'] }],
    ['a broken bound', { client: orders.client, scopes: Array.from({ length: 200 }, (_, index) => `s${index}`) }],
  ])('refuses %s with the status and the details of gRPC', async (_what, request) => {
    const sent = { headers: { 'x-ray-id': 'the-same' } }
    const error = await connectErrorOf(tokens.mintToken(request, sent))
    const call = server.call(TokenService.method.mintToken, request, { metadata: sent.headers })
    const refused = await refusalOf(call)
    expect(Code[error.code]?.toUpperCase()).toBe(refused.status.replaceAll('_', ''))
    expect(detailsOf(error)).toEqual(refused.details)
  })

  it('names a missing client and an existing one', async () => {
    const headers = { authorization: `Bearer ${server.admin.token}` }
    const missing = await connectErrorOf(clients.getClient({ clientId: 'nobody' }, { headers }))
    expect(missing.code).toBe(Code.NotFound)
    expect(detailsOf(missing).resource).toMatchObject({ resourceType: 'client', resourceName: 'nobody' })
    const wanted = { clientId: 'orders', type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS] }
    const taken = await connectErrorOf(clients.registerClient(wanted, { headers }))
    expect(taken.code).toBe(Code.AlreadyExists)
    expect(detailsOf(taken).info?.reason).toBe('REGISTRATION_CLIENT_IDENTIFIER_CONFLICT')
  })

  it('streams a device authorization to its end', async () => {
    const device = await server.registerClient({
      clientId: server.unique('tv-'),
      type: ClientType.PUBLIC,
      grantTypes: [GrantType.DEVICE_CODE],
      scopes: ['films'],
    })
    const client = { clientId: device.clientId }
    const { deviceCode, userCode } = await devices.startDeviceAuthorization({ client })
    const states: DeviceAuthorizationState[] = []
    for await (const { state } of devices.watchDeviceAuthorization({ client, deviceCode })) {
      states.push(state)
      if (states.length === 1) {
        await server.call(
          DeviceService.method.denyDeviceAuthorization,
          { userCode },
          {
            bearer: server.admin.token,
          },
        )
      }
    }
    expect(states).toEqual([DeviceAuthorizationState.PENDING, DeviceAuthorizationState.DENIED])
    const again = devices.watchDeviceAuthorization({ client, deviceCode: 'qdc_nothing' })
    const error = await connectErrorOf(again[Symbol.asyncIterator]().next())
    expect(detailsOf(error).info?.reason).toBe('OAUTH_INVALID_GRANT')
  })

  it('refuses a request beyond the limit', async () => {
    const error = await connectErrorOf(tokens.introspectToken({ client: orders.client, token: 'x'.repeat(2 ** 21) }))
    expect(error.code).toBe(Code.ResourceExhausted)
    expect(error.details).toEqual([])
  })

  it('refuses a list beyond its limit before authentication', async () => {
    const request = { tokens: Array.from({ length: 1_001 }, () => '') }
    const error = await connectErrorOf(tokens.batchIntrospectTokens(request))
    expect(detailsOf(error).badRequest?.fieldViolations).toMatchObject([
      { field: 'tokens', description: 'must have at most 1000 items' },
    ])
  })
})

describe('a call with curl', () => {
  it('mints, and describes the answer in headers', async () => {
    const { status, headers, json } = await post(url, 'TokenService/MintToken', { client: proof })
    expect(status).toBe(200)
    expect(json).toMatchObject({
      token: {
        accessToken: expect.stringMatching(/^qat_/),
        expiresIn: expect.stringMatching(/^(3600|3599)s$/),
        audiences: [],
      },
    })
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('returns an explicit false for an inactive token', async () => {
    const { json } = await post(url, 'TokenService/IntrospectToken', { token: server.unknownToken() }, asOrders)
    expect(json).toEqual({ active: false })
  })

  it('returns the details of an error in readable JSON too', async () => {
    const { status, headers, json } = await post(url, 'TokenService/MintToken', {}, basic('orders', 'wrong'))
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Basic realm="qscope", charset="UTF-8"')
    expect(json).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringMatching(/^Client authentication failed\. Check /),
      details: [
        {
          type: 'google.rpc.ErrorInfo',
          debug: { reason: 'OAUTH_INVALID_CLIENT', domain: 'qscope', metadata: { oauth_error: 'invalid_client' } },
        },
        { type: 'google.rpc.RequestInfo', debug: { requestId: headers.get('x-ray-id') } },
        { type: 'google.rpc.Help' },
      ],
    })
  })

  it('gets a challenge without a token, and with an invalid one', async () => {
    const none = await post(url, 'ClientService/ListClients', {})
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="qscope"')
    const bad = await post(url, 'ClientService/ListClients', {}, { authorization: 'Bearer qat_no' })
    expect(bad.headers.get('www-authenticate')).toBe('Bearer realm="qscope", error="invalid_token"')
  })

  it('has its ray id, or the trace id of its traceparent, or a new one', async () => {
    const rayIdOf = async (headers: Record<string, string>) =>
      (await post(url, 'TokenService/MintToken', {}, headers)).headers.get('x-ray-id')
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect(await rayIdOf({ 'x-ray-id': 'checkout-7', traceparent })).toBe('checkout-7')
    expect(await rayIdOf({ traceparent })).toBe('4bf92f3577b34da6a3ce929d0e0e4736')
    expect(await rayIdOf({ 'x-ray-id': 'not one' })).toMatch(/^[0-9a-f-]{36}$/)
    const { lines } = server
    expect(lines.some(({ msg, rayId }) => msg === 'call' && rayId === 'checkout-7')).toBe(true)
  })

  it('has the address of its socket, whatever the headers', async () => {
    const headers = { ...asOrders, 'x-ray-id': 'whose', 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' }
    await post(url, 'TokenService/MintToken', {}, headers)
    const line = server.lines.find(({ msg, rayId }) => msg === 'call' && rayId === 'whose')
    expect(line).toMatchObject({ method: '/qscope.v1.TokenService/MintToken', peer: '127.0.0.1', code: 'OK' })
  })

  it.each([
    ['no JSON', '{"client":'],
    ['nothing', ''],
    ['no object', '[]'],
    ['a text that is not UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
    ['a number where a text belongs', '{"scopes": [7]}'],
    ['a lone surrogate', '{"scopes": ["\\ud800"]}'],
    ['the character U+0000', '{"scopes": ["a\\u0000b"]}'],
  ])('that sends %s is refused with a registered error', async (_what, body) => {
    const { status, json, text } = await post(url, 'TokenService/MintToken', body, asOrders)
    expect(status).toBe(400)
    expect(json).toMatchObject({ code: 'invalid_argument' })
    expect(text).toContain('"reason":"OAUTH_INVALID_REQUEST"')
  })

  it('with a misspelled field is refused, instead of getting all scopes', async () => {
    const { status, json } = await post(url, 'TokenService/MintToken', { scope: ['orders.read'] }, asOrders)
    expect(status).toBe(400)
    expect(json).toMatchObject({
      details: [
        {},
        {},
        { debug: { fieldViolations: [{ field: 'scope', description: 'is not a field of the request' }] } },
        {},
      ],
    })
  })

  it('with a secret in the wrong field is refused without repeating the secret', async () => {
    const secret = server.unknownToken()
    const wrong = [{ scopes: secret }, { [secret]: 1 }, { client: { clientSecret: [secret] } }, { lifetime: secret }]
    for (const body of wrong) {
      const { status, text } = await post(url, 'TokenService/MintToken', body)
      expect(status).toBe(400)
      expect(text).not.toContain(secret)
    }
    expect(JSON.stringify(server.lines)).not.toContain(secret)
  })

  it('accepts the proto names of fields, too', async () => {
    const body = { client: { client_id: orders.clientId, client_secret: orders.clientSecret } }
    expect((await post(url, 'TokenService/MintToken', body)).status).toBe(200)
  })

  it('is refused with two values of authorization', async () => {
    const request = httpRequest(`${url}/qscope.v1.TokenService/MintToken`, {
      method: 'POST',
      headers: [
        'host',
        'localhost',
        'content-type',
        'application/json',
        'content-length',
        '2',
        'authorization',
        asOrders.authorization,
        'authorization',
        'Bearer x',
      ],
    })
    request.end('{}')
    const [response] = await once(request, 'response')
    expect(response.statusCode).toBe(400)
    expect(String(await buffer(response))).toContain('OAUTH_INVALID_REQUEST')
  })
})
