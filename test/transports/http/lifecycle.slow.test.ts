import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Code, createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { describe, expect, it } from 'vitest'
import type { CallContext } from '../../../src/context.ts'
import { ErrorInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../../src/results.ts'
import { route } from '../../../src/rpc/routes.ts'
import { openHarness, tokenRoutes } from '../grpc/harness.ts'
import { streamProbe } from '../grpc/test-service.ts'
import { connectErrorOf, post } from './application.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()
const { goodSecret } = harness

const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } }
const asOrders = { client: { clientId: 'orders', clientSecret: goodSecret } }
const NOTHING = success({})

/** A handler that waits until it is released, and ignores its signal. */
function stubborn() {
  const begun = Promise.withResolvers<CallContext>()
  const released = Promise.withResolvers<void>()
  const hold = async (ctx: CallContext) => {
    begun.resolve(ctx)
    await released.promise
    return NOTHING
  }
  const routes = tokenRoutes({ mintToken: hold, introspectToken: hold })
  return { routes, begun: begun.promise, release: () => released.resolve() }
}

const transports = [
  ['Connect', createConnectTransport],
  ['gRPC-Web', createGrpcWebTransport],
] as const

describe.each(transports)('a call over %s', (_name, transport) => {
  it('ends at its deadline even if its handler does not', async () => {
    const handler = stubborn()
    const { url } = await startHttp(harness, handler.routes)
    const tokens = createClient(TokenService, transport({ baseUrl: url, httpVersion: '1.1' }))
    const error = await connectErrorOf(tokens.mintToken({ client }, { timeoutMs: 200 }))
    const ctx = await handler.begun
    expect(error.code).toBe(Code.DeadlineExceeded)
    expect(ctx.deadline).not.toBe(null)
    await expect.poll(() => ctx.signal.aborted).toBe(true)
    handler.release()
  })

  it('aborts the signal of its handler when the caller cancels', async () => {
    const handler = stubborn()
    const { url, state, lines } = await startHttp(harness, handler.routes)
    const tokens = createClient(TokenService, transport({ baseUrl: url, httpVersion: '1.1' }))
    const leaving = new AbortController()
    const running = connectErrorOf(tokens.mintToken({ client }, { signal: leaving.signal }))
    const { signal } = await handler.begun
    expect(signal.aborted).toBe(false)
    leaving.abort()
    expect((await running).code).toBe(Code.Canceled)
    await expect.poll(() => signal.aborted).toBe(true)
    handler.release()
    await state.idle()
    expect(lines.filter(({ level }) => Number(level) >= 50)).toEqual([])
  })

  it('that streams stops its handler when the caller cancels, and is no longer counted', async () => {
    const ended = Promise.withResolvers<void>()
    const service = streamProbe({ anyone: true })
    const routes = route(service, {
      async *try(ctx) {
        try {
          for (;;) {
            yield success({ token: { accessToken: 'one' } })
            await sleep(10, undefined, { signal: ctx.signal })
          }
        } finally {
          ended.resolve()
        }
      },
    })
    const { url, state } = await startHttp(harness, routes)
    const probe = createClient(service, transport({ baseUrl: url, httpVersion: '1.1' }))
    for await (const item of probe.try({})) {
      expect(item.token?.accessToken).toBe('one')
      break
    }
    await ended.promise
    await state.idle()
  })

  it('that streams ends at its deadline', async () => {
    const service = streamProbe({ anyone: true })
    const routes = route(service, {
      async *try() {
        yield NOTHING
        await new Promise(() => undefined)
      },
    })
    const { url } = await startHttp(harness, routes)
    const probe = createClient(service, transport({ baseUrl: url, httpVersion: '1.1' }))
    const items = probe.try({}, { timeoutMs: 300 })[Symbol.asyncIterator]()
    await items.next()
    expect((await connectErrorOf(items.next())).code).toBe(Code.DeadlineExceeded)
  })
})

describe('a deadline', () => {
  it('is enforced by the server, not only by the client', async () => {
    const handler = stubborn()
    const { url } = await startHttp(harness, handler.routes)
    const late = await post(url, 'TokenService/MintToken', asOrders, { 'connect-timeout-ms': '100' })
    expect([late.status, late.json]).toEqual([504, { code: 'deadline_exceeded', message: 'The deadline has passed.' }])
    handler.release()
  })

  it.each(['-1', 'soon', '99999999999', '9999999999'])('of %s ms is refused', async (timeout) => {
    const { url } = await startHttp(harness, tokenRoutes({ mintToken: async () => NOTHING }))
    const { status, json } = await post(url, 'TokenService/MintToken', asOrders, { 'connect-timeout-ms': timeout })
    expect([status, json]).toMatchObject([400, { code: 'invalid_argument' }])
  })
})

describe('a server that stops', () => {
  it('finishes running calls, refuses new ones with 503, reports draining at /readyz, and closes', async () => {
    const handler = stubborn()
    const { url, server, state } = await startHttp(harness, handler.routes)
    const running = post(url, 'TokenService/MintToken', asOrders)
    await handler.begun
    const stopped = server.stop(10_000)
    expect(state.draining).toBe(true)

    const refused = await post(url, 'TokenService/IntrospectToken', { ...asOrders, token: 'x' })
    expect(refused.status).toBe(503)
    expect(refused.headers.get('connection')).toBe('close')
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.text).toContain('OAUTH_TEMPORARILY_UNAVAILABLE')
    const ready = await fetch(`${url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, 'draining\n'])
    const keys = await fetch(`${url}/.well-known/jwks.json`)
    expect([keys.status, await keys.json()]).toMatchObject([503, { error: 'temporarily_unavailable' }])

    handler.release()
    expect((await running).status).toBe(200)
    await stopped
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  })

  it.each([
    ['is told not to call again blindly', 'MintToken', {}, 'false'],
    ['is told to call again', 'IntrospectToken', { token: 'x' }, 'true'],
  ])('a call that is aborted at the end of the grace period %s', async (_what, method, more, safe) => {
    const handler = stubborn()
    const { url, server, lines } = await startHttp(harness, handler.routes)
    const running = post(url, `TokenService/${method}`, { ...asOrders, ...more })
    const { signal } = await handler.begun
    await server.stop(50)
    const { status, text, json, headers } = await running
    expect([status, json]).toMatchObject([409, { code: 'aborted' }])
    expect(text).toContain('RESOURCE_OUTCOME_UNKNOWN')
    expect(text).toContain(`"safe_to_retry":"${safe}"`)
    expect(headers.has('retry-after')).toBe(safe === 'true')
    expect(signal.aborted).toBe(true)
    expect(lines.map(({ msg }) => msg)).toContain('the grace period is over; aborting the running HTTP calls')
    handler.release()
  })

  it.each(transports)(
    'aborts calls and streams over %s with RESOURCE_OUTCOME_UNKNOWN at the end of the grace period',
    async (_name, transport) => {
      const handler = stubborn()
      const service = streamProbe({ anyone: true })
      const begun = Promise.withResolvers<void>()
      const stream = route(service, {
        async *try() {
          yield NOTHING
          begun.resolve()
          await new Promise(() => undefined)
        },
      })
      const { url, server } = await startHttp(harness, [...handler.routes, ...stream])
      const over = transport({ baseUrl: url, httpVersion: '1.1' })
      const items = createClient(service, over).try({})[Symbol.asyncIterator]()
      await items.next()
      const cut = [items.next(), createClient(TokenService, over).mintToken({ client })].map(connectErrorOf)
      await Promise.all([begun.promise, handler.begun])
      await server.stop(50)
      // A client also reports a closed connection as aborted, so the reason shows that the server answered.
      const told = (await Promise.all(cut)).map((error) => [error.code, error.findDetails(ErrorInfoSchema)[0]?.reason])
      expect(told).toEqual(cut.map(() => [Code.Aborted, 'RESOURCE_OUTCOME_UNKNOWN']))
      handler.release()
    },
  )

  it('closes idle keep-alive connections and those without a request', async () => {
    const { url, port, server } = await startHttp(harness, tokenRoutes())
    const agent = new Agent({ keepAlive: true })
    const request = httpRequest(`${url}/healthz`, { agent }).end()
    const [response] = await once(request, 'response')
    const { socket } = response
    response.resume()
    await once(response, 'end')
    const silent = connect(port, '127.0.0.1')
    await once(silent, 'connect')
    const closed = Promise.all([once(silent, 'close'), once(socket, 'close')])
    silent.resume()
    await server.stop(0)
    await closed
    agent.destroy()
  })
})

describe('an address in use', () => {
  it('is reported in one line', async () => {
    const { port } = await startHttp(harness, tokenRoutes())
    await expect(startHttp(harness, tokenRoutes(), { listen: { host: '127.0.0.1', port } })).rejects.toThrow(
      `HTTP cannot listen on 127.0.0.1:${port}: the address is already in use`,
    )
  })
})
