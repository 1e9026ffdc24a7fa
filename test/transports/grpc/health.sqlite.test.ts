import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type Client, type ClientReadableStream, status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import {
  Health,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../../src/gen/grpc/health/v1/health_pb.ts'
import { call, openHarness, tokenRoutes } from './harness.ts'

const { startServer } = await openHarness()

function watch(client: Client, service: string): ClientReadableStream<HealthCheckResponse> {
  return client.makeServerStreamRequest(
    '/grpc.health.v1.Health/Watch',
    (request: HealthCheckRequest) => Buffer.from(toBinary(HealthCheckRequestSchema, request)),
    (bytes: Buffer) => fromBinary(HealthCheckResponseSchema, bytes),
    create(HealthCheckRequestSchema, { service }),
  )
}

describe('health', () => {
  it.each(['', 'qscope.v1.TokenService', 'grpc.health.v1.Health'])(
    'is initially NOT_SERVING for "%s"',
    async (service) => {
      const server = await startServer(tokenRoutes())
      const check = async () => (await call(server.client, Health.method.check, { service })).message?.status
      expect(await check()).toBe(Serving.NOT_SERVING)
      server.state.setServing(true)
      expect(await check()).toBe(Serving.SERVING)
      server.state.drain()
      server.state.setServing(true)
      expect(await check()).toBe(Serving.NOT_SERVING)
    },
  )

  it('answers NOT_FOUND for an unknown service, with a ray id', async () => {
    const server = await startServer(tokenRoutes())
    const { error, header } = await call(
      server.client,
      Health.method.check,
      { service: 'no.such' },
      { 'x-ray-id': 'ray-4' },
    )
    expect(error?.code).toBe(status.NOT_FOUND)
    expect(header.get('x-ray-id')).toEqual(['ray-4'])
  })

  it('lists every service', async () => {
    const server = await startServer(tokenRoutes())
    const { message } = await call(server.client, Health.method.list, {})
    expect(Object.keys(message?.statuses ?? {}).sort()).toEqual(['', 'grpc.health.v1.Health', 'qscope.v1.TokenService'])
  })

  it('sends every change to watchers, and ends their streams at shutdown', async () => {
    const server = await startServer(tokenRoutes())
    const seen: Serving[] = []
    for await (const response of watch(server.client, '')) {
      seen.push(response.status)
      if (seen.length === 1) server.state.setServing(true)
      if (seen.length === 2) void server.server.stop(1_000)
    }
    expect(seen).toEqual([Serving.NOT_SERVING, Serving.SERVING, Serving.NOT_SERVING])
  })

  it('reports an unknown service to watchers without ending the stream', async () => {
    const server = await startServer(tokenRoutes())
    const stream = watch(server.client, 'no.such')
    stream.on('error', () => undefined)
    const first = await new Promise<HealthCheckResponse>((resolve) => stream.once('data', resolve))
    expect(first.status).toBe(Serving.SERVICE_UNKNOWN)
    expect(stream.readableEnded).toBe(false)
    stream.cancel()
  })
})
