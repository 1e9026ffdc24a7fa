/** The echo on QScope's own HTTP/2 transport, which shows the transport's cost. It decodes and encodes like the grpc-js echo. */
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { BytesValueSchema } from '@bufbuild/protobuf/wkt'
import { DEFAULT_LIMITS } from '../../src/transports/grpc/limits.ts'
import { GrpcApplication } from '../../src/transports/http2/grpc/application.ts'
import type { CallListener, SingleRequestMethod } from '../../src/transports/http2/grpc/method.ts'
import { Http2Server } from '../../src/transports/http2/server.ts'
import { ECHO_PATH } from './echo-message.ts'

const ANSWERED: CallListener = { cancelled: () => undefined, drained: () => undefined }
const echo: SingleRequestMethod = {
  kind: 'unary',
  path: ECHO_PATH,
  keepsDeadline: true,
  begin: (call, request) => {
    call.answer(headers, toBinary(BytesValueSchema, fromBinary(BytesValueSchema, request)))
    call.release()
    return ANSWERED
  },
}
const { maxMessageBytes, maxConcurrentStreams } = DEFAULT_LIMITS
const application = new GrpcApplication({ methods: [echo], maxMessageBytes })
const headers = application.blocks.headers()
const server = new Http2Server({
  application,
  limits: { maxConcurrentStreams },
  onError: (error) => {
    throw error
  },
})
const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
process.send?.({ port })
process.on('disconnect', () => process.exit())
