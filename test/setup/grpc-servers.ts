import type { DescMethodUnary } from '@bufbuild/protobuf'
import { type Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js'

/** Binds a test's server to a free loopback port. */
export function grpcPortOf(server: Server, credentials = ServerCredentials.createInsecure()): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
}

/** `/qscope.v1.TokenService/MintToken` */
export const pathOf = ({ parent, name }: DescMethodUnary): string => `/${parent.typeName}/${name}`

export const asIs = (bytes: Buffer): Buffer => bytes

/** A unary method whose messages remain bytes. */
export function byteMethod(method: DescMethodUnary): ServiceDefinition[string] {
  return {
    path: pathOf(method),
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}
