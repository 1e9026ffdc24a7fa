import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  BoolValue,
  EchoStatus,
  Payload,
  PayloadType,
  StreamingOutputCallRequest,
} from './gen/grpc/testing/messages_pb.ts'
import { TestService } from './gen/grpc/testing/test_pb.ts'
import { type Received, requestOf, type TestCall, type TestMethod, TestStatus, testMethod } from './test-call.ts'

const INVALID_ARGUMENT = 3
/** What a client sends under these names, it gets back. */
const ECHOED_HEADER = 'x-grpc-test-echo-initial'
const ECHOED_TRAILER = 'x-grpc-test-echo-trailing-bin'

/**
 * `grpc.testing.TestService`, as gRPC's interoperability test descriptions have it. Its
 * clients also call a method and a service that are not here.
 */
export function testService(): readonly TestMethod[] {
  const serverId = randomUUID()
  const { emptyCall, unaryCall, cacheableUnaryCall, ...streams } = TestService.method
  return [
    testMethod(emptyCall, async (call) => {
      await requestOf(call)
      await call.send({})
    }),
    testMethod(unaryCall, async (call) => {
      const { message, compressed } = await requestOf(call)
      echoMetadata(call)
      assertCompressed(message.expectCompressed, compressed)
      throwIfAsked(message.responseStatus)
      const payload = payloadOf(message.responseType, message.responseSize)
      await call.send(
        { payload, ...(message.fillServerId && { serverId }) },
        message.responseCompressed?.value ?? false,
      )
    }),
    testMethod(cacheableUnaryCall, async (call) => {
      const { message } = await requestOf(call)
      call.addHeader('cache-control', 'max-age=60, public')
      await call.send({ payload: payloadOf(message.responseType, message.responseSize) })
    }),
    testMethod(streams.streamingOutputCall, async (call) => {
      const { message } = await requestOf(call)
      echoMetadata(call)
      throwIfAsked(message.responseStatus)
      await sendAsked(call, message)
    }),
    testMethod(streams.streamingInputCall, async (call) => {
      echoMetadata(call)
      let aggregatedPayloadSize = 0
      for await (const { message, compressed } of call.requests) {
        assertCompressed(message.expectCompressed, compressed)
        aggregatedPayloadSize += message.payload?.body.byteLength ?? 0
      }
      await call.send({ aggregatedPayloadSize })
    }),
    testMethod(streams.fullDuplexCall, async (call) => {
      echoMetadata(call)
      for await (const { message } of call.requests) {
        throwIfAsked(message.responseStatus)
        await sendAsked(call, message)
      }
    }),
    testMethod(streams.halfDuplexCall, async (call) => {
      echoMetadata(call)
      const all: Received<StreamingOutputCallRequest>[] = []
      for await (const request of call.requests) all.push(request)
      for (const { message } of all) await sendAsked(call, message)
    }),
  ]
}

function echoMetadata(call: TestCall<unknown, never>): void {
  const [header] = call.metadata(ECHOED_HEADER)
  if (header !== undefined) call.addHeader(ECHOED_HEADER, header)
  const [trailer] = call.metadata(ECHOED_TRAILER)
  if (trailer !== undefined) call.addTrailer(ECHOED_TRAILER, trailer)
}

/** Clients find out by this whether a server sees what they compress. */
function assertCompressed(expected: BoolValue | undefined, was: boolean): void {
  if (expected === undefined || expected.value === was) return
  throw new TestStatus(INVALID_ARGUMENT, `the message was ${was ? '' : 'not '}compressed`)
}

function throwIfAsked(status: EchoStatus | undefined): void {
  if (status !== undefined && status.code !== 0) throw new TestStatus(status.code, status.message)
}

function payloadOf(type: PayloadType, size: number): Pick<Payload, 'type' | 'body'> {
  if (size < 0) throw new TestStatus(INVALID_ARGUMENT, `a payload cannot have ${size} bytes`)
  return { type, body: new Uint8Array(size) }
}

async function sendAsked(
  call: TestCall<unknown, { payload: Pick<Payload, 'type' | 'body'> }>,
  { responseType, responseParameters }: StreamingOutputCallRequest,
): Promise<void> {
  for (const { size, intervalUs, compressed } of responseParameters) {
    if (intervalUs > 0) await sleep(intervalUs / 1_000, undefined, { signal: call.ended })
    await call.send({ payload: payloadOf(responseType, size) }, compressed?.value ?? false)
  }
}
