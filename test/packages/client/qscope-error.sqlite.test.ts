import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { Metadata } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ClientService } from '../../../packages/client/src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../../packages/client/src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../../packages/client/src/gen/qscope/v1/token_service_pb.ts'
import { QScopeError } from '../../../packages/client/src/qscope-error.ts'
import { freePort } from '../../setup/free-port.ts'
import { grantsOn } from '../../setup/grants.ts'
import { CHANNELS, errorOf, givenServer } from './given.ts'
import { startNetworkProxy } from './network-proxy.ts'

const server = givenServer({ QSCOPE_ERROR_DOCS_URL: 'https://docs.example/errors' })

describe.each(CHANNELS)('an error over $transport', ({ open }) => {
  const channel = (address = server().address) => {
    const opened = open(address)
    onTestFinished(() => opened.close())
    return opened
  }

  it('names the fields of an invalid request, the ray id and the page that explains the reason', async () => {
    const request = { clientId: 'x', scopes: ['a'] }
    const bearer = server().admin.token
    const error = await errorOf(channel().unary(ClientService.method.registerClient, request, { bearer }))
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_REQUEST' })
    expect(error.fieldViolations.map(({ field }) => field)).toContain('client_id')
    expect(error.rayId).toMatch(/^[0-9a-f-]{36}$/)
    expect(error.helpUrl).toBe('https://docs.example/errors#oauth-invalid-request')
    expect(error.isOutcomeUnknown).toBe(false)
  })

  it('has the delay before a retry', async () => {
    const client = await grantsOn(server()).deviceClient()
    const { deviceCode } = await grantsOn(server()).startDevice(client)
    const request = { client: client.client, deviceCode }
    const pending = await errorOf(channel().unary(DeviceService.method.redeemDeviceCode, request))
    expect(pending).toMatchObject({ reason: 'OAUTH_DEVICE_AUTHORIZATION_PENDING', retryAfterMs: 5_000 })
    const hasty = await errorOf(channel().unary(DeviceService.method.redeemDeviceCode, request))
    expect(hasty).toMatchObject({ reason: 'OAUTH_DEVICE_SLOW_DOWN', retryAfterMs: 10_000 })
  })

  it('names the resource that was not found', async () => {
    const bearer = server().admin.token
    const error = await errorOf(channel().unary(ClientService.method.getClient, { clientId: 'nobody' }, { bearer }))
    expect(error).toMatchObject({ reason: 'RESOURCE_NOT_FOUND', oauthError: null, resource: { name: 'nobody' } })
  })

  it('has no reason when the status is from the transport', async () => {
    const proxy = await startNetworkProxy(server().address)
    proxy.swallowAnswers()
    const late = channel(proxy.address).unary(TokenService.method.getJsonWebKeySet, {}, { timeoutMs: 100 })
    expect(await errorOf(late)).toMatchObject({ status: 'DEADLINE_EXCEEDED', reason: null, isOutcomeUnknown: true })
  })

  it('has neverSent set when nothing listens at the address', async () => {
    const call = channel(`127.0.0.1:${await freePort()}`).unary(TokenService.method.getJsonWebKeySet, {})
    expect(await errorOf(call)).toMatchObject({ status: 'UNAVAILABLE', neverSent: true, isOutcomeUnknown: false })
  })

  it('does not replace the reason of an aborted signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(channel().unary(TokenService.method.getJsonWebKeySet, {}, { signal })).rejects.toThrow('enough')
  })
})

describe('QScopeError.from', () => {
  it('reads the error of a generated Connect client', async () => {
    const client = createClient(TokenService, createGrpcTransport({ baseUrl: `http://${server().address}` }))
    const thrown = await client.mintToken({}).catch((error: unknown) => error)
    expect(QScopeError.from(thrown)).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT', cause: thrown })
  })

  it('reads a status whose details are invalid', () => {
    const metadata = new Metadata()
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff]))
    const thrown = Object.assign(new Error('7 PERMISSION_DENIED: no'), { code: 7, details: 'no', metadata })
    expect(QScopeError.from(thrown)).toMatchObject({ status: 'PERMISSION_DENIED', reason: null })
  })

  it('sets no reason for a status of another service, and returns null for other errors', () => {
    expect(QScopeError.from(new ConnectError('no', Code.PermissionDenied))).toMatchObject({
      status: 'PERMISSION_DENIED',
      reason: null,
    })
    expect(QScopeError.from(new Error('no'))).toBeNull()
    expect(QScopeError.from('no')).toBeNull()
  })
})
