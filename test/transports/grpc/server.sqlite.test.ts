import { Client, credentials, status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { fail, success } from '../../../src/results.ts'
import { calmest } from '../../setup/calmest.ts'
import { call, detailsOf, openHarness, tokenRoutes } from './harness.ts'

const { goodSecret, startServer } = await openHarness()

const { mintToken, verifyToken } = TokenService.method
const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } }

/** Runs until its signal is aborted or `release` is called. */
function slowRoutes() {
  const begun = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const routes = tokenRoutes({
    mintToken: async (ctx) => {
      begun.resolve()
      const stop = Promise.withResolvers<never>()
      ctx.signal.addEventListener('abort', () => {
        aborted.resolve()
        stop.reject(ctx.signal.reason)
      })
      await Promise.race([released.promise, stop.promise])
      return success({ token: { accessToken: 'qat_late' } })
    },
  })
  return { routes, begun: begun.promise, aborted: aborted.promise, release: released.resolve }
}

describe('ray ids', () => {
  const ok = tokenRoutes({ mintToken: async () => success({}) })

  it.each([
    ['the x-ray-id metadata', { 'x-ray-id': 'abc.DEF-1_2' }, 'abc.DEF-1_2'],
    [
      'the traceparent',
      { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      '0af7651916cd43dd8448eb211c80319c',
    ],
    ['the server, for an invalid one', { 'x-ray-id': 'no spaces' }, 'fresh-ray-id'],
    ['the server, for an all-zero trace', { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }, 'fresh-ray-id'],
    ['the server', {}, 'fresh-ray-id'],
  ])('come from %s', async (_where, sent, expected) => {
    const server = await startServer(ok)
    const { error, header } = await call(server.client, mintToken, { client }, sent)
    expect(error).toBeNull()
    expect(header.get('x-ray-id')).toEqual([expected])
  })

  it('return with failures, in header, trailers and RequestInfo', async () => {
    const server = await startServer(ok)
    const { error, header } = await call(server.client, mintToken, {}, { 'x-ray-id': 'ray-3' })
    expect(header.get('x-ray-id')).toEqual(['ray-3'])
    expect(error?.metadata.get('x-ray-id')).toEqual(['ray-3'])
    expect(detailsOf(error)?.request?.requestId).toBe('ray-3')
  })
})

describe('status details', () => {
  it('carry reason, domain, OAuth error, metadata and help', async () => {
    const server = await startServer(
      tokenRoutes({ mintToken: async () => fail('oauth.invalid_scope', { metadata: { rejected_scopes: 'x y' } }) }),
    )
    const { error } = await call(server.client, mintToken, { client })
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    const details = detailsOf(error)
    expect(details).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: error?.details,
      info: {
        reason: 'OAUTH_INVALID_SCOPE',
        domain: 'qscope',
        metadata: { oauth_error: 'invalid_scope', rejected_scopes: 'x y' },
      },
    })
    expect(details?.help?.links[0]?.url).toBe('http://127.0.0.1/docs/errors#oauth-invalid-scope')
  })

  it('carry RetryInfo in milliseconds', async () => {
    const server = await startServer(
      tokenRoutes({ mintToken: async () => fail('oauth.temporarily_unavailable', { retryAfterMs: 1500 }) }),
    )
    const { error } = await call(server.client, mintToken, { client })
    expect(detailsOf(error)?.retry?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 })
  })

  it('stay within what clients accept as trailers', async () => {
    const server = await startServer(
      tokenRoutes({
        mintToken: async () => fail('oauth.invalid_scope', { metadata: { rejected_scopes: 'long '.repeat(10_000) } }),
      }),
    )
    const { error } = await call(server.client, mintToken, { client })
    expect(detailsOf(error)?.info?.reason).toBe('OAUTH_INVALID_SCOPE')
  })
})

describe('limits', () => {
  it('refuses an oversized message with RESOURCE_EXHAUSTED', async () => {
    const server = await startServer(tokenRoutes())
    const { error } = await call(server.client, verifyToken, { client, token: 'x'.repeat(1024 * 1024 + 1) })
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED)
    expect(detailsOf(error)).toBeNull()
  })

  it('leaves unknown methods to the transport', async () => {
    const server = await startServer(tokenRoutes())
    const unknown = { ...mintToken, name: 'NoSuch', parent: TokenService }
    expect((await call(server.client, unknown, {})).error?.code).toBe(status.UNIMPLEMENTED)
  })
})

describe('a caller that stops waiting', () => {
  it('aborts the signal by cancelling', async () => {
    const slow = slowRoutes()
    const server = await startServer(slow.routes)
    const controller = new AbortController()
    const answer = call(server.client, mintToken, { client }, {}, { signal: controller.signal })
    await slow.begun
    controller.abort()
    expect((await answer).error?.code).toBe(status.CANCELLED)
    await slow.aborted
    await server.state.idle()
    expect(server.lines.find((line) => line['msg'] === 'call')).toMatchObject({ code: 'CANCELLED' })
    expect(server.lines.some((line) => line['level'] === 50)).toBe(false)
  })

  it('aborts the signal by its deadline', async () => {
    const slow = slowRoutes()
    const server = await startServer(slow.routes)
    const { error } = await call(server.client, mintToken, { client }, {}, { deadline: Date.now() + 500 })
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED)
    await slow.aborted
    await server.state.idle()
    expect(server.lines.find((line) => line['msg'] === 'call')?.['code']).toMatch(/DEADLINE_EXCEEDED|CANCELLED/)
    expect(server.lines.some((line) => line['level'] === 50)).toBe(false)
  })
})

describe('a deadline', () => {
  it.each([10, 30, 400, 3_000])('may be %i days away', async (days) => {
    const server = await startServer(tokenRoutes({ mintToken: async () => success({}) }))
    const deadline = Date.now() + days * 86_400_000
    expect((await call(server.client, mintToken, { client }, {}, { deadline })).error).toBeNull()
  })
})

describe('stopping', () => {
  it('finishes a running call and refuses new ones', async () => {
    const slow = slowRoutes()
    const server = await startServer(slow.routes)
    const running = call(server.client, mintToken, { client })
    await slow.begun
    const stopped = server.server.stop(5_000)
    const late = new Client(server.address, credentials.createInsecure())
    const { error } = await call(late, mintToken, { client }, {}, { deadline: Date.now() + 2_000 })
    late.close()
    expect(error?.code).toBe(status.UNAVAILABLE)
    slow.release()
    expect((await running).message?.token?.accessToken).toBe('qat_late')
    await stopped
  })

  it('answers calls that were in transit when it began to drain: GOAWAY names the last one', async () => {
    const token = { accessToken: 'qat_on_its_way' }
    const server = await startServer(tokenRoutes({ mintToken: async () => success({ token }) }))
    server.state.drain()
    const { message } = await call(server.client, mintToken, { client })
    expect(message?.token?.accessToken).toBe('qat_on_its_way')
  })

  it('aborts running calls after the grace period', async () => {
    const tookMs = await calmest(900, async () => {
      const slow = slowRoutes()
      const server = await startServer(slow.routes)
      const running = call(server.client, mintToken, { client })
      await slow.begun
      const begun = performance.now()
      await server.server.stop(50)
      const tookMs = performance.now() - begun
      await slow.aborted
      expect((await running).error).not.toBeNull()
      return tookMs
    })
    expect(tookMs).toBeLessThan(900)
  })
})

describe('starting', () => {
  it('reports in one line that the address is in use', async () => {
    const first = await startServer(tokenRoutes())
    await expect(startServer(tokenRoutes(), { listen: { host: '127.0.0.1', port: first.port } })).rejects.toThrow(
      `gRPC cannot listen on ${first.address}: the address is already in use`,
    )
  })

  it.each([
    ['no-such-host.invalid', 50051],
    ['127.0.0.1', 99999],
    ['192.0.2.1', 50051],
  ])('reports in one line the problem of %s:%i', async (host, port) => {
    const started = startServer(tokenRoutes(), { listen: { host, port } })
    await expect(started).rejects.toThrow(new RegExp(`^gRPC cannot listen on ${host}:${port}: [^\\n]+$`))
  })
})
