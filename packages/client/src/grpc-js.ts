/** `@qscope/client/grpc-js`: QScope's clients and servers on grpc-js. */
export { type GrpcJsChannel, type GrpcJsChannelOptions, grpcJsChannel } from './grpc-js/channel.ts'
export { requireToken, verifiedToken } from './grpc-js/require-token.ts'
export { tokenCallCredentials } from './grpc-js/token-call-credentials.ts'
