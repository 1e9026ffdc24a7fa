import { create, type DescFile, type DescService } from '@bufbuild/protobuf'
import { type handleBidiStreamingCall, type Server, type ServerDuplexStream, status } from '@grpc/grpc-js'
import {
  ErrorResponseSchema,
  ExtensionNumberResponseSchema,
  FileDescriptorResponseSchema,
  ListServiceResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '../gen/grpc/reflection/v1alpha/reflection_pb.ts'
import type { Connections } from './connections.ts'
import { createDescriptorIndex, type DescriptorIndex } from './descriptor-index.ts'
import { rayIdFrom, rayIdMetadata } from './metadata.ts'
import { pathOf } from './routes.ts'
import type { ServingState } from './serving-state.ts'
import { serveSystemMethod } from './system-service.ts'

type Answer = ServerReflectionResponse['messageResponse']
type ReflectionCall = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>

/** Reflection v1 and v1alpha, whose messages are the same on the wire. Anyone may ask. */
export function serveReflection(
  server: Server,
  services: readonly DescService[],
  moreFiles: readonly DescFile[],
  state: ServingState,
  connections: Connections,
  newRayId: () => string,
): void {
  const listed = [...services, ServerReflection, ServerReflectionAlpha]
  const index = createDescriptorIndex([...listed.map((service) => service.file), ...moreFiles])
  const names = listed.map((service) => service.typeName).sort()

  const reflect: handleBidiStreamingCall<ServerReflectionRequest, ServerReflectionResponse> = (
    call: ReflectionCall,
  ) => {
    call.sendMetadata(rayIdMetadata(rayIdFrom(call.metadata, newRayId)))
    const sent = new Set<DescFile>()
    call.on('data', (request: ServerReflectionRequest) => {
      const response = create(ServerReflectionResponseSchema, {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answer(request, index, names, sent),
      })
      if (call.write(response)) return
      call.pause()
      call.once('drain', () => call.resume())
    })
    const connectionEnds = connections.endOf(call)
    const end = () => call.end()
    const stopListening = state.onChange(() => state.draining && end())
    connectionEnds.addEventListener('abort', end)
    call.on('end', end)
    call.on('cancelled', () => {
      stopListening()
      connectionEnds.removeEventListener('abort', end)
    })
    if (connectionEnds.aborted) end()
  }

  for (const path of [ServerReflection, ServerReflectionAlpha].map((each) =>
    pathOf(each.method.serverReflectionInfo),
  )) {
    serveSystemMethod(server, ServerReflection.method.serverReflectionInfo, 'bidi', reflect, path)
  }
}

function answer(
  { messageRequest: asked }: ServerReflectionRequest,
  index: DescriptorIndex,
  services: readonly string[],
  sent: Set<DescFile>,
): Answer {
  switch (asked.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: create(ListServiceResponseSchema, { service: services.map((name) => ({ name })) }),
      }
    case 'fileByFilename':
      return fileAnswer(index.fileNamed(asked.value), index, sent)
    case 'fileContainingSymbol':
      return fileAnswer(index.fileWithSymbol(asked.value), index, sent)
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = asked.value
      return fileAnswer(index.fileWithExtension(containingType, extensionNumber), index, sent)
    }
    case 'allExtensionNumbersOfType': {
      const numbers = index.extensionNumbers(asked.value)
      if (numbers === null) return refusal(status.NOT_FOUND, 'There is no such message type.')
      const value = create(ExtensionNumberResponseSchema, { baseTypeName: asked.value, extensionNumber: [...numbers] })
      return { case: 'allExtensionNumbersResponse', value }
    }
    case undefined:
      return refusal(status.INVALID_ARGUMENT, 'The request asks for nothing.')
    default:
      return asked satisfies never
  }
}

/** The file, and of its imports those this stream has not carried yet, so that one round trip is enough. */
function fileAnswer(file: DescFile | null, index: DescriptorIndex, sent: Set<DescFile>): Answer {
  if (file === null) return refusal(status.NOT_FOUND, 'There is no such file, symbol or extension.')
  const files = index.closure(file).filter((each) => each === file || !sent.has(each))
  for (const each of files) sent.add(each)
  const value = create(FileDescriptorResponseSchema, { fileDescriptorProto: files.map((each) => index.bytes(each)) })
  return { case: 'fileDescriptorResponse', value }
}

function refusal(errorCode: status, errorMessage: string): Answer {
  return { case: 'errorResponse', value: create(ErrorResponseSchema, { errorCode, errorMessage }) }
}
