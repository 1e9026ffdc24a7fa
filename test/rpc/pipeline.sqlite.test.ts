import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../src/results.ts'
import { GRPCURL, hasGrpcurl, run } from '../setup/grpcurl.ts'
import { call, detailsOf, openHarness, tokenRoutes } from '../transports/grpc/harness.ts'

const { goodBearer, goodSecret, startServer } = await openHarness()

const { mintToken, batchMintTokens, verifyToken, listTokens, batchIntrospectTokens } = TokenService.method
const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } }
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const minting = tokenRoutes({
  mintToken: async () => success({ token: { accessToken: 'qat_issued', tokenType: 'Bearer' } }),
})

describe('a call', () => {
  it('reaches its handler and returns the answer', async () => {
    const server = await startServer(minting)
    const answer = await call(server.client, mintToken, { client })
    expect(answer.error).toBeNull()
    expect(answer.message?.token?.accessToken).toBe('qat_issued')
  })

  it('accepts credentials in the request or in the metadata', async () => {
    const server = await startServer(minting)
    expect((await call(server.client, mintToken, {}, basic(`orders:${goodSecret}`))).error).toBeNull()
    expect((await call(server.client, mintToken, {}, basic('orders:wrong'))).error?.code).toBe(status.UNAUTHENTICATED)
  })

  it('is refused with both kinds of credentials, and both are named', async () => {
    const server = await startServer(minting)
    const { error } = await call(server.client, mintToken, { client }, basic(`orders:${goodSecret}`))
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    expect(detailsOf(error)?.violations?.map(({ field }) => field)).toEqual(['client', 'authorization'])
  })

  it.runIf(hasGrpcurl)('is refused with two values of authorization, which only some clients send', async () => {
    const server = await startServer(minting)
    const twice = ['-H', `authorization: Bearer ${goodBearer}`, '-H', 'authorization: Basic eDp5']
    const failed = await run(GRPCURL, [
      '-plaintext',
      ...twice,
      server.address,
      'qscope.v1.TokenService/ListTokens',
    ]).catch((error) => error)
    expect(failed.stderr).toContain('OAUTH_INVALID_REQUEST')
    expect(failed.stderr).toContain('"field": "authorization"')
  })

  it('is authenticated before it is validated', async () => {
    const server = await startServer(tokenRoutes())
    const { error } = await call(server.client, verifyToken, {})
    expect(error?.code).toBe(status.UNAUTHENTICATED)
    expect(detailsOf(error)?.info?.reason).toBe('OAUTH_INVALID_CLIENT')
  })

  it('is refused for a malformed client field before authentication', async () => {
    const server = await startServer(minting)
    const { error } = await call(server.client, mintToken, {
      client: { clientId: '', method: { case: 'clientSecret', value: 'x'.repeat(300) } },
    })
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    expect(detailsOf(error)?.violations?.map(({ field }) => field)).toEqual([
      'client.client_id',
      'client.client_secret',
    ])
  })

  it('is refused with the proto path of every invalid field, without values', async () => {
    const server = await startServer(minting)
    const secret = `qat_${'s'.repeat(200)}`
    const { error } = await call(server.client, mintToken, { client, scopes: ['a', secret] })
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    expect(detailsOf(error)?.violations).toEqual([
      { field: 'scopes[1]', description: expect.stringMatching(/character/) },
    ])
    expect(JSON.stringify(detailsOf(error))).not.toContain('ssss')
  })

  it('is refused with the first sixteen violations, without looking for more', async () => {
    const server = await startServer(tokenRoutes({ batchMintTokens: async () => success({}) }))
    const scopes = Array.from({ length: 150 }, (_, index) => (index % 2 === 0 ? 'good' : 'x'.repeat(129)))
    const item = { scopes, lifetime: { seconds: 100_000n } }
    const requests = [{ lifetime: { seconds: 100_000n } }, ...Array.from({ length: 50 }, () => item)]
    const { error } = await call(server.client, batchMintTokens, { client, requests })
    const fields = detailsOf(error)?.violations?.map(({ field }) => field)
    const first = [
      'requests[0].lifetime',
      ...Array.from({ length: 15 }, (_, at) => `requests[1].scopes[${2 * at + 1}]`),
    ]
    expect(fields).toEqual(first)
  })

  it('is validated after authentication, except for its credentials', async () => {
    const server = await startServer(minting)
    const wrong = { scopes: Array.from({ length: 200 }, () => 'x'.repeat(129)) }
    const stranger = await call(server.client, mintToken, wrong)
    expect(detailsOf(stranger.error)?.info?.reason).toBe('OAUTH_INVALID_CLIENT')
    const impostor = await call(server.client, mintToken, {
      ...wrong,
      client: { clientId: 'orders', method: { case: 'clientSecret', value: 'wrong' } },
    })
    expect(detailsOf(impostor.error)?.info?.reason).toBe('OAUTH_INVALID_CLIENT')
    const known = await call(server.client, mintToken, { ...wrong, client })
    expect(detailsOf(known.error)?.violations).toHaveLength(16)
  })

  it('runs with few others if it is large, and with many if it is small', async () => {
    let running = 0
    let most = 0
    const server = await startServer(
      tokenRoutes({
        batchIntrospectTokens: async () => {
          running += 1
          most = Math.max(most, running)
          await new Promise((resolve) => setTimeout(resolve, 20))
          running -= 1
          return success({})
        },
      }),
    )
    const mostBesideEachOther = async (tokens: readonly string[]) => {
      most = 0
      const calls = Array.from({ length: 16 }, () =>
        call(server.client, batchIntrospectTokens, { client, tokens: [...tokens] }),
      )
      expect((await Promise.all(calls)).every(({ error }) => error === null)).toBe(true)
      return most
    }
    expect(await mostBesideEachOther(['one'])).toBeGreaterThan(4)
    expect(await mostBesideEachOther(Array.from({ length: 100 }, () => 'many'))).toBeLessThanOrEqual(2)
  })

  it('is refused with invalid_request if it cannot be parsed', async () => {
    const server = await startServer(minting)
    const { error } = await call(server.client, mintToken, Buffer.from([0x0a, 0xff]))
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    expect(detailsOf(error)?.info?.reason).toBe('OAUTH_INVALID_REQUEST')
  })

  it('logs the cause of an internal error with the ray id', async () => {
    const server = await startServer(
      tokenRoutes({
        listTokens: async () => {
          throw new Error('disk on fire')
        },
      }),
    )
    const sent = { authorization: `Bearer ${goodBearer}`, 'x-ray-id': 'ray-1' }
    const { error } = await call(server.client, listTokens, {}, sent)
    expect(error?.code).toBe(status.INTERNAL)
    expect(error?.message).not.toContain('disk')
    expect(JSON.stringify(detailsOf(error))).not.toContain('disk')
    const logged = server.lines.filter((line) => JSON.stringify(line).includes('disk on fire'))
    expect(logged).toHaveLength(1)
    expect(logged[0]).toMatchObject({ rayId: 'ray-1', level: 50 })
  })

  it('is logged without bearer values and authorization metadata', async () => {
    const server = await startServer(minting)
    await call(server.client, mintToken, { client })
    await call(server.client, mintToken, {}, basic('orders:qcs_in_metadata'))
    await call(server.client, verifyToken, { token: 'qat_presented' }, { authorization: `Bearer ${goodBearer}` })
    const log = JSON.stringify(server.lines)
    expect(log).toContain('[redacted]')
    for (const value of [
      goodSecret,
      goodBearer,
      'qcs_in_metadata',
      'qat_presented',
      'qat_issued',
      'Basic',
      'authorization',
    ]) {
      expect(log).not.toContain(value)
    }
  })

  it('is logged with method, code, caller and duration', async () => {
    const server = await startServer(minting)
    await call(server.client, mintToken, { client }, { 'x-ray-id': 'ray-2' })
    expect(server.lines.filter((line) => line['msg'] === 'call')).toEqual([
      expect.objectContaining({
        rayId: 'ray-2',
        method: '/qscope.v1.TokenService/MintToken',
        code: 'OK',
        peer: '127.0.0.1',
        clientId: 'orders',
        durationMs: expect.any(Number),
      }),
    ])
  })
})
