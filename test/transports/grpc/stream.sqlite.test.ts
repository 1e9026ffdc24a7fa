import { once } from 'node:events'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type Client, type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CallContext } from '../../../src/context.ts'
import {
  ListTokensRequestSchema,
  type MintTokenResponse,
  MintTokenResponseSchema,
} from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { fail, type Result, success } from '../../../src/results.ts'
import { route } from '../../../src/rpc/routes.ts'
import { grpcFrame, rawCall, shutWindow } from '../../attacks/raw-streams.ts'
import { detailsOf, openHarness } from './harness.ts'
import { streamProbe } from './test-service.ts'

const { startServer } = await openHarness()

const token = (accessToken: string) => success({ token: { accessToken } })

function streaming(
  handler: (ctx: CallContext) => AsyncIterable<Result<MessageInitShape<typeof MintTokenResponseSchema>>>,
) {
  return startServer(route(streamProbe({ anyone: true }), { try: handler }), { reflection: false })
}

function open(client: Client): ClientReadableStream<MintTokenResponse> {
  return client.makeServerStreamRequest(
    '/qscope.test.Probe/Try',
    (message) => Buffer.from(toBinary(ListTokensRequestSchema, message)),
    (bytes: Buffer) => fromBinary(MintTokenResponseSchema, bytes),
    create(ListTokensRequestSchema),
  )
}

describe('a stream', () => {
  it('carries every item and ends', async () => {
    const server = await streaming(async function* () {
      yield token('one')
      yield token('two')
    })
    const items = await open(server.client).toArray()
    expect(items.map((item: MintTokenResponse) => item.token?.accessToken)).toEqual(['one', 'two'])
  })

  it('ends with the status of a failed item', async () => {
    const server = await streaming(async function* () {
      yield token('one')
      yield fail('oauth.device.expired_token')
    })
    const stream = open(server.client)
    const items: MintTokenResponse[] = []
    stream.on('data', (item: MintTokenResponse) => items.push(item))
    const [error] = (await once(stream, 'error').catch((thrown: ServiceError) => [thrown])) as [ServiceError]
    expect(items).toHaveLength(1)
    expect(error.code).toBe(status.FAILED_PRECONDITION)
    expect(detailsOf(error)?.info?.reason).toBe('OAUTH_DEVICE_EXPIRED_TOKEN')
  })

  it('stops its handler when the caller cancels', async () => {
    const ended = Promise.withResolvers<void>()
    const server = await streaming(async function* (ctx) {
      try {
        yield token('one')
        await new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)))
      } finally {
        ended.resolve()
      }
    })
    const stream = open(server.client)
    stream.on('error', () => undefined)
    await once(stream, 'data')
    stream.cancel()
    await ended.promise
    await server.state.idle()
    expect(server.lines.find((line) => line['msg'] === 'call')).toMatchObject({ code: 'CANCELLED' })
    expect(server.lines.some((line) => line['level'] === 50)).toBe(false)
  })

  it('waits for a caller that reads slowly', async () => {
    let made = 0
    const server = await streaming(async function* () {
      for (; made < 1_000; made += 1) yield token('x'.repeat(64 * 1024))
    })
    const stream = open(server.client)
    await once(stream, 'metadata')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(made).toBeLessThan(500)
    expect(await stream.toArray()).toHaveLength(1_000)
  })

  it('waits no longer than the deadline for a caller that does not read', async () => {
    const begun = Promise.withResolvers<void>()
    const server = await streaming(async function* () {
      begun.resolve()
      for (;;) yield token('x'.repeat(64 * 1024))
    })
    const session = shutWindow(server.address)
    onTestFinished(() => session.destroy())
    const call = rawCall(session, '/qscope.test.Probe/Try', { 'grpc-timeout': '300m' })
    call.end(grpcFrame(new Uint8Array()))
    await begun.promise
    await server.state.idle()
    expect(server.lines.find((line) => line['msg'] === 'call')).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })
})
