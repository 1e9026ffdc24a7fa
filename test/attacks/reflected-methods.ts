import {
  create,
  createFileRegistry,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  getOption,
  toBinary,
} from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Client, credentials } from '@grpc/grpc-js'
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../../src/gen/grpc/reflection/v1/reflection_pb.ts'
import { type Access, access } from '../../src/gen/qscope/v1/options_pb.ts'

type Asked = ServerReflectionRequest['messageRequest']

/** The services of a server by reflection, with no other knowledge than its address. */
export async function reflectServices(address: string): Promise<readonly DescService[]> {
  const client = new Client(address, credentials.createInsecure())
  const ask = async (messageRequest: Asked) => {
    const call = client.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (request: ServerReflectionRequest) => Buffer.from(toBinary(ServerReflectionRequestSchema, request)),
      (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
    )
    call.end(create(ServerReflectionRequestSchema, { messageRequest }))
    const [answer]: ServerReflectionResponse[] = await call.toArray()
    return answer?.messageResponse
  }
  try {
    const listed = await ask({ case: 'listServices', value: '' })
    const names = listed?.case === 'listServicesResponse' ? listed.value.service.map(({ name }) => name) : []
    const files = new Map<string, FileDescriptorProto>()
    for (const name of names) {
      const found = await ask({ case: 'fileContainingSymbol', value: name })
      if (found?.case !== 'fileDescriptorResponse') throw new Error(`${name} is listed, but not described`)
      for (const bytes of found.value.fileDescriptorProto) {
        const file = fromBinary(FileDescriptorProtoSchema, bytes)
        files.set(file.name, file)
      }
    }
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(files) }))
    return names.map((name) => {
      const service = registry.getService(name)
      if (service === undefined) throw new Error(`${name} is listed, but not in its file`)
      return service
    })
  } finally {
    client.close()
  }
}

/** The methods of the services of a package. */
export function methodsOf(services: readonly DescService[], prefix: string): readonly DescMethod[] {
  return services.filter(({ typeName }) => typeName.startsWith(prefix)).flatMap(({ methods }) => methods)
}

/** Who may call a method, by its option in the reflected descriptor. */
export function accessOf(method: DescMethod): Access {
  return getOption(method, access)
}

/** `qscope.v1.TokenService/MintToken`. */
export function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}

export function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === 'unary'
}

export function isServerStream(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === 'server_streaming'
}

/** The files in an order in which imports come first. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const done = new Set<FileDescriptorProto>()
  const add = (file: FileDescriptorProto | undefined) => {
    if (file === undefined || done.has(file)) return
    for (const name of file.dependency) add(files.get(name))
    done.add(file)
  }
  for (const file of files.values()) add(file)
  return [...done]
}
