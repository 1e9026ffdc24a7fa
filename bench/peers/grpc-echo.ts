/** The reference: a grpc-js server with QScope's options that returns each message unchanged. */
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { type BytesValue, BytesValueSchema } from '@bufbuild/protobuf/wkt'
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js'
import { DEFAULT_LIMITS } from '../../src/transports/grpc/limits.ts'
import { ECHO_PATH } from './echo-message.ts'

const server = new Server({
  'grpc.max_receive_message_length': DEFAULT_LIMITS.maxMessageBytes,
  'grpc.max_concurrent_streams': DEFAULT_LIMITS.maxConcurrentStreams,
  'grpc.max_connection_age_ms': DEFAULT_LIMITS.maxConnectionAgeMs,
  'grpc.max_connection_age_grace_ms': DEFAULT_LIMITS.maxConnectionAgeGraceMs,
  'grpc.max_connection_idle_ms': DEFAULT_LIMITS.maxConnectionIdleMs,
  'grpc.keepalive_time_ms': DEFAULT_LIMITS.keepaliveTimeMs,
  'grpc.keepalive_timeout_ms': DEFAULT_LIMITS.keepaliveTimeoutMs,
  'grpc.enable_channelz': 0,
})
const echo: handleUnaryCall<BytesValue, BytesValue> = (call, answer) => answer(null, call.request)
server.register(
  ECHO_PATH,
  echo,
  (message: BytesValue) => Buffer.from(toBinary(BytesValueSchema, message)),
  (bytes: Buffer) => fromBinary(BytesValueSchema, bytes),
  'unary',
)
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.send?.({ port })
})
process.on('disconnect', () => process.exit())
