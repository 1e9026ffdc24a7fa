import type { GrpcTransportName } from '../config/variables.ts'
import type { OpenTransport } from '../transports/grpc/transport.ts'

/** Loads only the transport of that name. */
export async function loadTransport(name: GrpcTransportName): Promise<OpenTransport> {
  switch (name) {
    case 'native': {
      const { NativeTransport } = await import('../transports/grpc-native/transport.ts')
      return (settings) => new NativeTransport(settings)
    }
    case 'grpc-js': {
      const { GrpcJsTransport } = await import('../transports/grpc-js/transport.ts')
      return (settings) => new GrpcJsTransport(settings)
    }
    default:
      return name satisfies never
  }
}
