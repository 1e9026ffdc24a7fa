import { once } from 'node:events'
import { connect } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { fail, success } from '../../../src/results.ts'
import { type Route, route } from '../../../src/rpc/routes.ts'
import type { GrpcLimits } from '../../../src/transports/grpc/limits.ts'
import { type Connection, connect as connectClient, refusalOf } from '../../setup/client.ts'
import { call, detailsOf, openHarness, tokenRoutes } from './harness.ts'
import { streamProbe } from './test-service.ts'

const { goodSecret, startServer } = await openHarness()

const { introspectToken, mintToken, revokeToken } = TokenService.method
const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } }
const PATIENCE_MS = 300_000
const A_DAY_MS = 86_400_000
/** From far below the age of a connection to the largest configurable value. */
const KEEPALIVES_MS = [10, 90, 150, A_DAY_MS]
/** Long enough that several pings are due while a connection drains. */
const DRAINING_MS = 600
const AGE_MS = 100

/** Calls that run until they are released, even if their connection ends. */
function heldCalls() {
  const begun = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const hold = async () => {
    begun.resolve()
    await released.promise
    return success({})
  }
  return {
    routes: tokenRoutes({ mintToken: hold, introspectToken: hold, revokeToken: hold }),
    begun: begun.promise,
    release: () => released.resolve(),
  }
}

async function startWith(routes: readonly Route[], limits: Partial<GrpcLimits>) {
  const server = await startServer(routes, { limits: { maxConnectionAgeGraceMs: PATIENCE_MS, ...limits } })
  const connection = connectClient(server.address, { ownSocket: true })
  return { ...server, connection }
}

describe.each(KEEPALIVES_MS)('with a ping every %d ms', (keepaliveTimeMs) => {
  it('a call on a draining connection is answered', async () => {
    const held = heldCalls()
    const { connection } = await startWith(held.routes, { keepaliveTimeMs, maxConnectionAgeMs: AGE_MS })
    const running = connection.call(mintToken, { client })
    await held.begun
    await sleep(AGE_MS + DRAINING_MS)
    held.release()
    await running
    connection.close()
  })

  it('a running call is answered by a stopping server', async () => {
    const held = heldCalls()
    const { connection, server } = await startWith(held.routes, { keepaliveTimeMs })
    const running = connection.call(mintToken, { client })
    await held.begun
    const stopped = server.stop(PATIENCE_MS)
    await sleep(DRAINING_MS)
    held.release()
    await running
    await stopped
    connection.close()
  })

  it('a connection to a responding peer is kept', async () => {
    const { address } = await startWith(tokenRoutes(), { keepaliveTimeMs, keepaliveTimeoutMs: 500 })
    const session = connect(`http://${address}`)
    await once(session, 'connect')
    await sleep(DRAINING_MS)
    expect(session.closed).toBe(false)
    session.destroy()
  })
})

it('a connection to a peer that answers no ping is closed with its calls', async () => {
  const held = heldCalls()
  const { address, state } = await startWith(held.routes, { keepaliveTimeMs: 50, keepaliveTimeoutMs: 50 })
  const [host = '', port] = address.split(':')
  const socket = connectSocket(Number(port), host)
  await once(socket, 'connect')
  // The preface and empty SETTINGS; then the peer sends nothing more.
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]))
  socket.resume()
  await once(socket, 'close')
  held.release()
  await state.idle()
})

describe('a watch', () => {
  /** A stream that lasts until its connection drains, and then fails like the watch of a device. */
  function lasting(): readonly Route[] {
    const service = streamProbe({ anyone: true })
    return route(service, {
      async *try(ctx) {
        yield success({ token: { accessToken: 'qat_first' } })
        const { connectionEnds } = ctx
        if (connectionEnds === undefined) return
        if (!connectionEnds.aborted) await once(connectionEnds, 'abort')
        yield fail('oauth.temporarily_unavailable', { retryAfterMs: 1_000 })
      },
    })
  }

  it('ends with its status when its connection drains', async () => {
    const { connection, state } = await startWith(lasting(), { maxConnectionAgeMs: AGE_MS, keepaliveTimeMs: 20 })
    const watch = connection.stream(streamProbe({ anyone: true }).method.try, {})
    const refused = await refusalOf(watch.ended)
    expect(refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
    expect(refused.details.retry).toBeDefined()
    expect(watch.items).toHaveLength(1)
    await state.idle()
    connection.close()
  })

  it('ends with its status when the server stops', async () => {
    const { connection, server } = await startWith(lasting(), { keepaliveTimeMs: 20 })
    const watch = connection.stream(streamProbe({ anyone: true }).method.try, {})
    await expect.poll(() => watch.items.length).toBe(1)
    const stopped = server.stop(PATIENCE_MS)
    expect((await refusalOf(watch.ended)).reason).toBe('OAUTH_TEMPORARILY_UNAVAILABLE')
    await stopped
    connection.close()
  })

  it('of the health ends properly when its connection drains', async () => {
    const { connection, state } = await startWith(tokenRoutes(), { maxConnectionAgeMs: AGE_MS, keepaliveTimeMs: 20 })
    state.setServing(true)
    const watch = connection.stream(Health.method.watch, { service: '' })
    await watch.ended
    expect(watch.items.map((item) => item.status)).toEqual([Serving.SERVING])
    connection.close()
  })
})

describe('a call that outlasts the grace', () => {
  const SAFE = { safe_to_retry: 'true' }
  const UNSAFE = { safe_to_retry: 'false' }
  const calls = [
    ['that may be made again', (on: Connection) => on.call(introspectToken, { client, token: 'x' }), SAFE],
    ['that revokes', (on: Connection) => on.call(revokeToken, { client, token: 'x' }), SAFE],
    ['that issues a token', (on: Connection) => on.call(mintToken, { client }), UNSAFE],
  ] as const

  it.each(calls)('of a stopping server, one %s, is told whether to retry', async (_name, begin, safe) => {
    const held = heldCalls()
    const { connection, server, lines } = await startWith(held.routes, { keepaliveTimeMs: 20 })
    const running = refusalOf(begin(connection))
    await held.begun
    await server.stop(100)
    const refused = await running
    expect(refused).toMatchObject({ status: 'ABORTED', reason: 'RESOURCE_OUTCOME_UNKNOWN', metadata: safe })
    expect(refused.details.retry !== undefined).toBe(safe === SAFE)
    held.release()
    await expect.poll(() => lines.filter(({ msg }) => msg === 'call')).toMatchObject([{ code: 'CANCELLED' }])
    connection.close()
  })

  it('of its connection is told as well', async () => {
    const held = heldCalls()
    const { connection } = await startWith(held.routes, {
      maxConnectionAgeMs: AGE_MS,
      maxConnectionAgeGraceMs: 100,
      keepaliveTimeMs: 20,
    })
    const running = refusalOf(connection.call(mintToken, { client }))
    await held.begun
    expect(await running).toMatchObject({ status: 'ABORTED', reason: 'RESOURCE_OUTCOME_UNKNOWN' })
    held.release()
    connection.close()
  })

  it('of another connection continues', async () => {
    const held = heldCalls()
    const server = await startWith(held.routes, { maxConnectionAgeMs: 1_000, maxConnectionAgeGraceMs: 10 })
    const running = refusalOf(server.connection.call(mintToken, { client }))
    await held.begun
    await sleep(800)
    const later = connectClient(server.address, { ownSocket: true })
    const ofAnother = later.call(introspectToken, { client, token: 'x' })
    expect((await running).reason).toBe('RESOURCE_OUTCOME_UNKNOWN')
    held.release()
    await ofAnother
    later.close()
    server.connection.close()
  })

  it('is notified by its signal', async () => {
    const noticed = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const routes = tokenRoutes({
      mintToken: async (ctx) => {
        const { signal } = ctx
        signal.addEventListener('abort', () => noticed.resolve())
        begun.resolve()
        await noticed.promise
        throw signal.reason
      },
    })
    const { server, client: caller } = await startWith(routes, {})
    const running = call(caller, mintToken, { client })
    await begun.promise
    await server.stop(10)
    await noticed.promise
    const { error } = await running
    expect(error?.code).toBe(status.ABORTED)
    expect(detailsOf(error)?.info?.reason).toBe('RESOURCE_OUTCOME_UNKNOWN')
  })
})
