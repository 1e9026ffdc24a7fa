import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { expect, it, onTestFinished } from 'vitest'
import { StreamingInputCallRequestSchema, StreamingInputCallResponseSchema } from './gen/grpc/testing/messages_pb.ts'
import { serveNatively } from './native-server.ts'
import { testService } from './test-service.ts'

const GZIP = 2
const LARGE = 100_000

/** The total that the server answers for payloads of these sizes, all sent at once. */
function total(client: Client, sizes: readonly number[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(
      '/grpc.testing.TestService/StreamingInputCall',
      (size: number) => {
        const payload = { body: new Uint8Array(size) }
        return Buffer.from(
          toBinary(StreamingInputCallRequestSchema, create(StreamingInputCallRequestSchema, { payload })),
        )
      },
      (bytes: Buffer) => fromBinary(StreamingInputCallResponseSchema, bytes).aggregatedPayloadSize,
      (error, sum) => (error === null ? resolve(sum ?? 0) : reject(error)),
    )
    for (const size of sizes) call.write(size)
    call.end()
  })
}

it.each([
  ['plain', {}],
  ['compressed', { 'grpc.default_compression_algorithm': GZIP }],
])('all messages of a stream are told before its end, also those that come with it: %s', async (_, options) => {
  const server = await serveNatively(testService(), { tls: null })
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), options)
  onTestFinished(async () => {
    client.close()
    await server.stop()
  })
  for (let count = 0; count <= 20; count += 1) {
    const sizes = Array.from({ length: count }, (_, index) => (index % 3 === 0 ? LARGE : index))
    expect(await total(client, sizes)).toBe(sizes.reduce((sum, size) => sum + size, 0))
  }
})
