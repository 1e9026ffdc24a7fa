import { create, type DescFile, type DescService, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js'
import { epochMs } from '../../domain/ids.ts'
import { peerKey } from '../../domain/peer-key.ts'
import {
  ErrorResponseSchema,
  ExtensionNumberResponseSchema,
  ListServiceResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../../gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { RateLimiter } from '../../rate-limits/rate-limiter.ts'
import { type FailedResult, fail, RETRY_AFTER_MS, type Result } from '../../results.ts'
import { pathOf } from '../../rpc/routes.ts'
import { DescriptorIndex } from './descriptor-index.ts'
import { rayIdMetadata, toGrpcStatus } from './errors.ts'
import { addressOf, rayIdFrom } from './grpc-call-info.ts'
import { StreamQuota, type SystemServiceOptions, serveSystemMethod } from './system-service.ts'

/** A tool opens one, or a few. Each holds an answer until it is read. */
const STREAMS = Object.freeze({ perPeer: 8, total: 64 })
/** The requests of one address: a tool that describes everything makes one for each message. */
const REQUEST_RATE = Object.freeze({ burst: 2_000, perMinute: 2_000 })
/** A stream ends by itself after this, as at any shutdown: tools open another. A message may take a little longer to arrive. */
const MAX_STREAM_AGE_MS = 20_000

type Answer = ServerReflectionResponse['messageResponse'] | Files
type ReflectionCall = ServerDuplexStream<Result<ServerReflectionRequest>, ServerReflectionResponse | Buffer>

/** Files that answer a question, encoded once for all who ask. */
interface Files {
  readonly case: 'files'
  readonly encoded: readonly Uint8Array[]
}

/**
 * Reflection v1 and v1alpha, whose messages are the same on the wire. Anyone may
 * ask, so what is asked for is encoded once, and the streams are few.
 */
export class ReflectionService {
  readonly #services: readonly DescService[]
  readonly #names: readonly string[]
  readonly #moreFiles: readonly DescFile[]
  readonly #options: SystemServiceOptions
  readonly #streams = new StreamQuota('streams of reflection', STREAMS)
  readonly #questions = new RateLimiter(REQUEST_RATE)
  #index: Promise<DescriptorIndex> | null = null

  /** `moreFiles`: what no request refers to, but answers contain. */
  constructor(services: readonly DescService[], moreFiles: readonly DescFile[], options: SystemServiceOptions) {
    this.#services = [...services, ServerReflection, ServerReflectionAlpha]
    this.#names = this.#services.map((service) => service.typeName).sort()
    this.#moreFiles = moreFiles
    this.#options = options
  }

  register(server: Server): void {
    for (const each of [ServerReflection, ServerReflectionAlpha]) {
      const path = pathOf(each.method.serverReflectionInfo)
      serveSystemMethod(
        server,
        ServerReflection.method.serverReflectionInfo,
        'bidi',
        this.serverReflectionInfo.bind(this),
        path,
      )
    }
  }

  serverReflectionInfo(call: ReflectionCall): void {
    const { state, connections, newRayId, helpBase, log } = this.#options
    const rayId = rayIdFrom(call.metadata, newRayId)
    const peer = peerKey(addressOf(call.getPeer()))
    const refuse = (failed: FailedResult) => call.emit('error', toGrpcStatus(failed, rayId, helpBase))
    const opened = this.#streams.open(peer)
    if (!opened.ok) {
      refuse(opened)
      return
    }
    call.sendMetadata(rayIdMetadata(rayId))
    const sent = new Set<DescFile>()
    const life = setTimeout(() => call.end(), MAX_STREAM_AGE_MS).unref()
    /** One question after the other: the next is read when the answer has left, or nearly. */
    let replying: Promise<void> = Promise.resolve()
    call.on('data', (request: Result<ServerReflectionRequest>) => {
      call.pause()
      replying = replying
        .then(async () => {
          const refusal = await this.#reply(call, peer, request, sent)
          if (refusal !== null) refuse(refusal)
        })
        .catch((error: unknown) => {
          log.error({ rayId, err: error }, 'unexpected error while answering')
          refuse(fail('oauth.server_error'))
        })
    })
    const connectionEnds = connections.endSignalOf(call)
    const end = () => call.end()
    const unsubscribe = state.onChange(() => state.draining && end())
    connectionEnds.addEventListener('abort', end)
    call.on('end', () => void replying.then(end))
    call.on('cancelled', () => {
      clearTimeout(life)
      opened.value()
      unsubscribe()
      connectionEnds.removeEventListener('abort', end)
    })
    if (connectionEnds.aborted) end()
  }

  /** Answers one question, or says why it is refused. `sent`: the files that the stream has carried. */
  async #reply(
    call: ReflectionCall,
    peer: string,
    request: Result<ServerReflectionRequest>,
    sent: Set<DescFile>,
  ): Promise<FailedResult | null> {
    if (!request.ok) return request
    if (!this.#questions.take(peer, epochMs(Date.now()))) {
      const quota = { subject: `peer:${peer}`, description: 'too many questions about the schema' }
      return fail('limit.exceeded', { quota, retryAfterMs: RETRY_AFTER_MS })
    }
    this.#index ??= this.#openIndex()
    const index = await this.#index
    if (call.cancelled || call.writableEnded) return null
    if (call.write(encoded(request.value, answer(request.value, index, this.#names, sent)))) call.resume()
    else call.once('drain', () => call.resume())
    return null
  }

  /** The comments are large, and most servers are never asked. */
  async #openIndex(): Promise<DescriptorIndex> {
    const { comments } = await import('../../gen/comments.ts')
    const files = [...this.#services.map((service) => service.file), ...this.#moreFiles]
    return new DescriptorIndex(files, (name) => comments[name])
  }
}

/** Field 4 of the response, `file_descriptor_response`, and its only field: both of them length-delimited. */
const FILES_TAG = (4 << 3) | 2
const FILE_TAG = (1 << 3) | 2

function encoded(request: ServerReflectionRequest, answer: Answer): ServerReflectionResponse | Buffer {
  const head = { validHost: request.host, originalRequest: request }
  if (answer.case !== 'files') return create(ServerReflectionResponseSchema, { ...head, messageResponse: answer })
  // Fields may come one after the other, whoever encoded them (protobuf, "Encoding").
  const files = answer.encoded.flatMap((bytes) => [delimiter(FILE_TAG, bytes.byteLength), bytes])
  const size = files.reduce((sum, bytes) => sum + bytes.byteLength, 0)
  return Buffer.concat([
    toBinary(ServerReflectionResponseSchema, create(ServerReflectionResponseSchema, head)),
    delimiter(FILES_TAG, size),
    ...files,
  ])
}

function delimiter(tag: number, length: number): Uint8Array {
  return new BinaryWriter().uint32(tag).uint32(length).finish()
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
  return { case: 'files', encoded: files.map((each) => index.bytes(each)) }
}

function refusal(errorCode: status, errorMessage: string): Answer {
  return { case: 'errorResponse', value: create(ErrorResponseSchema, { errorCode, errorMessage }) }
}
