import { create, type DescFile, type DescService } from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { epochMs } from '../../domain/ids.ts'
import { peerKey } from '../../domain/peer-key.ts'
import { Code } from '../../gen/google/rpc/code_pb.ts'
import {
  ErrorResponseSchema,
  ExtensionNumberResponseSchema,
  ListServiceResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../../gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { RateLimiter } from '../../rate-limits/rate-limiter.ts'
import { type FailedResult, fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import { pathOf } from '../../rpc/routes.ts'
import { rayIdFrom } from './call-info.ts'
import { DescriptorIndex } from './descriptor-index.ts'
import { toGrpcStatus } from './status.ts'
import { StreamQuota, SystemCodec, type SystemServiceOptions } from './system-service.ts'
import type { RequestListener, StreamRequestMethod, StreamTransportCall } from './transport.ts'

/** A tool opens one stream or a few. Each stream holds an answer until it is read. */
const STREAMS = Object.freeze({ perPeer: 8, total: 64 })
/** The request rate of one address. A tool that describes everything sends one request for each message type. */
const REQUEST_RATE = Object.freeze({ burst: 2_000, perMinute: 2_000 })
/**
 * A stream ends by itself after this time, in milliseconds, as at a shutdown; tools open another. A message may take slightly
 * longer to arrive.
 */
const MAX_STREAM_AGE_MS = 20_000

type Answer = ServerReflectionResponse['messageResponse'] | Files

type ReflectionCodec = SystemCodec<typeof ServerReflectionRequestSchema, typeof ServerReflectionResponseSchema>

/** The files that answer a question, encoded once for all callers. */
interface Files {
  readonly case: 'files'
  readonly encoded: readonly Uint8Array[]
}

/**
 * Reflection v1 and v1alpha, whose messages are the same on the wire. No authentication is required, so answers are encoded
 * once and the number of streams is small.
 */
export class ReflectionService {
  readonly #services: readonly DescService[]
  readonly #names: readonly string[]
  readonly #moreFiles: readonly DescFile[]
  readonly #options: SystemServiceOptions
  readonly #streams = new StreamQuota('reflection streams', STREAMS)
  readonly #codec = new SystemCodec(ServerReflection.method.serverReflectionInfo)
  readonly #questions = new RateLimiter(REQUEST_RATE)
  #index: Promise<DescriptorIndex> | null = null

  /** `moreFiles`: files that no request refers to, but that answers contain. */
  constructor(services: readonly DescService[], moreFiles: readonly DescFile[], options: SystemServiceOptions) {
    this.#services = [...services, ServerReflection, ServerReflectionAlpha]
    this.#names = this.#services.map((service) => service.typeName).sort()
    this.#moreFiles = moreFiles
    this.#options = options
  }

  methods(): readonly StreamRequestMethod[] {
    return [ServerReflection, ServerReflectionAlpha].map((each) => ({
      kind: 'bidi',
      path: pathOf(each.method.serverReflectionInfo),
      begin: (call) => new ReflectionStream(call, this.#options, this),
    }))
  }

  /** Counts a stream. The returned function ends it. */
  open(peer: string): Result<() => void> {
    return this.#streams.open(peer)
  }

  /** Answers one encoded question. `sent`: the files that were already sent on the stream. */
  async reply(peer: string, bytes: Uint8Array, sent: Set<DescFile>): Promise<Result<Uint8Array>> {
    const request = this.#codec.parse(bytes)
    if (!request.ok) return request
    if (!this.#questions.take(peer, epochMs(Date.now()))) {
      const quota = { subject: `peer:${peer}`, description: 'too many reflection requests from this address' }
      return fail('limit.exceeded', { quota, retryAfterMs: RETRY_AFTER_MS })
    }
    this.#index ??= this.#openIndex()
    return success(encoded(request.value, answer(request.value, await this.#index, this.#names, sent), this.#codec))
  }

  /** The comments are large and most servers never get a question, so the index is created on demand. */
  async #openIndex(): Promise<DescriptorIndex> {
    const { comments } = await import('../../gen/comments.ts')
    const files = [...this.#services.map((service) => service.file), ...this.#moreFiles]
    return new DescriptorIndex(files, (name) => comments[name])
  }
}

/** A stream of questions, which are answered one after the other. The next question is read when the answer has been sent, or nearly. */
class ReflectionStream implements RequestListener {
  readonly #call: StreamTransportCall
  readonly #options: SystemServiceOptions
  readonly #service: ReflectionService
  readonly #rayId: string
  readonly #peer: string
  readonly #sent = new Set<DescFile>()
  readonly #unsubscribe: () => void
  readonly #life: NodeJS.Timeout
  /** Frees its place in the quota; `null` if it has none. */
  #leave: (() => void) | null = null
  #replying: Promise<void> = Promise.resolve()
  #isOpen = true

  constructor(call: StreamTransportCall, options: SystemServiceOptions, service: ReflectionService) {
    const { state, newRayId } = options
    this.#call = call
    this.#options = options
    this.#service = service
    this.#rayId = rayIdFrom(call, newRayId)
    this.#peer = peerKey(call.peer)
    this.#life = setTimeout(this.#end, MAX_STREAM_AGE_MS).unref()
    this.#unsubscribe = state.onChange(() => state.draining && this.#end())
    const opened = service.open(this.#peer)
    if (!opened.ok) {
      this.#refuse(opened)
      return
    }
    this.#leave = opened.value
    call.start(this.#rayId)
    const { connectionEnds } = call
    connectionEnds.addEventListener('abort', this.#end)
    if (connectionEnds.aborted) this.#end()
  }

  request(bytes: Uint8Array): void {
    if (!this.#isOpen) return
    this.#call.pause()
    this.#replying = this.#replying
      .then(() => this.#reply(bytes))
      .catch((error: unknown) => {
        this.#options.log.error({ rayId: this.#rayId, err: error }, 'unexpected error while answering')
        this.#refuse(fail('oauth.server_error'))
      })
  }

  requestsEnded(): void {
    void this.#replying.then(this.#end)
  }

  drained(): void {
    this.#call.resume()
  }

  cancelled(): void {
    this.#close()
  }

  graceExpired(): void {
    this.#end()
  }

  async #reply(bytes: Uint8Array): Promise<void> {
    const answered = await this.#service.reply(this.#peer, bytes, this.#sent)
    if (!this.#isOpen) return
    if (!answered.ok) this.#refuse(answered)
    else if (this.#call.write(answered.value)) this.#call.resume()
  }

  #refuse(failed: FailedResult): void {
    this.#call.fail(toGrpcStatus(failed, this.#rayId, this.#options.helpBase))
    this.#close()
  }

  readonly #end = (): void => {
    this.#call.end()
    this.#close()
  }

  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    clearTimeout(this.#life)
    this.#unsubscribe()
    this.#call.connectionEnds.removeEventListener('abort', this.#end)
    this.#leave?.()
    this.#call.release()
  }
}

/** Field 4 of the response, `file_descriptor_response`, and the only field of that message. Both are length-delimited. */
const FILES_TAG = (4 << 3) | 2
const FILE_TAG = (1 << 3) | 2

function encoded(request: ServerReflectionRequest, answer: Answer, codec: ReflectionCodec): Uint8Array {
  const head = { validHost: request.host, originalRequest: request }
  if (answer.case !== 'files')
    return codec.encode(create(ServerReflectionResponseSchema, { ...head, messageResponse: answer }))
  // Encoded fields may be concatenated, even if they were encoded separately (protobuf, "Encoding").
  const files = answer.encoded.flatMap((bytes) => [delimiter(FILE_TAG, bytes.byteLength), bytes])
  const size = files.reduce((sum, bytes) => sum + bytes.byteLength, 0)
  return Buffer.concat([
    codec.encode(create(ServerReflectionResponseSchema, head)),
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
      if (numbers === null) return refusal(Code.NOT_FOUND, 'There is no such message type.')
      const value = create(ExtensionNumberResponseSchema, { baseTypeName: asked.value, extensionNumber: [...numbers] })
      return { case: 'allExtensionNumbersResponse', value }
    }
    case undefined:
      return refusal(Code.INVALID_ARGUMENT, 'The request asks for nothing.')
    default:
      return asked satisfies never
  }
}

/** The file, and those of its imports that were not yet sent on this stream, so that one round trip is enough. */
function fileAnswer(file: DescFile | null, index: DescriptorIndex, sent: Set<DescFile>): Answer {
  if (file === null) return refusal(Code.NOT_FOUND, 'There is no such file, symbol or extension.')
  const files = index.closure(file).filter((each) => each === file || !sent.has(each))
  for (const each of files) sent.add(each)
  return { case: 'files', encoded: files.map((each) => index.bytes(each)) }
}

function refusal(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: create(ErrorResponseSchema, { errorCode, errorMessage }) }
}
