/** The servers of gRPC: what one is tested for, the other is by the same files. */
export const GRPC_TRANSPORTS = Object.freeze(['grpc-js'] as const)

export type GrpcTransport = (typeof GRPC_TRANSPORTS)[number]

/** The environment of a server that speaks gRPC by this one. */
export function servingBy(_transport: GrpcTransport): Readonly<Record<string, string>> {
  return {}
}
