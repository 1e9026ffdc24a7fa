import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../../src/gen/google/rpc/error_details_pb.ts'
import { type Status, StatusSchema } from '../../src/gen/google/rpc/status_pb.ts'

/** The error of a refused call, with decoded details. */
export class Refused extends Error {
  /** Such as `PERMISSION_DENIED`. */
  readonly status: string
  /** Such as `OAUTH_INVALID_SCOPE`. Empty if the transport created the status. */
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly string[]
  readonly rayId: string | undefined
  readonly details: DecodedDetails

  constructor(error: ServiceError) {
    const [encoded] = error.metadata.get('grpc-status-details-bin')
    const details = decodeDetails(Buffer.isBuffer(encoded) ? fromBinary(StatusSchema, encoded) : create(StatusSchema))
    super(`${status[error.code]} ${details.info?.reason ?? ''}: ${error.details}`)
    this.status = status[error.code] ?? 'UNKNOWN'
    this.reason = details.info?.reason ?? ''
    this.metadata = details.info?.metadata ?? {}
    this.violations = details.badRequest?.fieldViolations.map(({ field }) => field) ?? []
    this.rayId = details.request?.requestId
    this.details = details
  }
}

export type DecodedDetails = ReturnType<typeof decodeDetails>

export function decodeDetails({ details }: Pick<Status, 'details'>) {
  const find = <D extends DescMessage>(schema: D): MessageShape<D> | undefined =>
    details.map((detail) => anyUnpack(detail, schema)).find((each) => each !== undefined)
  return {
    info: find(ErrorInfoSchema),
    request: find(RequestInfoSchema),
    help: find(HelpSchema),
    retry: find(RetryInfoSchema),
    badRequest: find(BadRequestSchema),
    resource: find(ResourceInfoSchema),
    quota: find(QuotaFailureSchema),
  }
}

export interface Sent {
  readonly bearer?: string
  readonly basic?: readonly [clientId: string, secret: string]
  readonly metadata?: Readonly<Record<string, string>>
  readonly deadlineMs?: number
}

export type Connection = ReturnType<typeof connect>

/** A stock grpc-js client for the generated messages. `ownSocket`: does not share a connection with other clients. */
export function connect(address: string, { ownSocket = false, channel = credentials.createInsecure() } = {}) {
  const client = new Client(address, channel, {
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': ownSocket ? 1 : 0,
  })
  return {
    /** Returns the answer or throws `Refused`. */
    call<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      request: MessageInitShape<I>,
      sent: Sent = {},
    ): Promise<MessageShape<O>> {
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          create(method.input, request),
          metadataOf(sent),
          { deadline: Date.now() + (sent.deadlineMs ?? 30_000) },
          (error, answer) => {
            if (error !== null) reject(new Refused(error))
            else if (answer !== undefined) resolve(answer)
          },
        )
      })
    },
    /** Opens a server stream. Returns the messages so far, and a promise of the end, which rejects with `Refused` on an error. */
    stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodServerStreaming<I, O>,
      request: MessageInitShape<I>,
      sent: Sent = {},
    ) {
      const items: MessageShape<O>[] = []
      const running = client.makeServerStreamRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        metadataOf(sent),
        { deadline: Date.now() + (sent.deadlineMs ?? 30_000) },
      )
      const first = Promise.withResolvers<MessageShape<O>>()
      const ended = new Promise<void>((resolve, reject) => {
        running.on('data', (item: MessageShape<O>) => {
          items.push(item)
          first.resolve(item)
        })
        running.on('error', (error: ServiceError) => reject(new Refused(error)))
        running.on('end', resolve)
      })
      // Callers that ignore the end must not cause an unhandled rejection.
      ended.catch(() => undefined)
      return { items, first: first.promise, ended, cancel: () => running.cancel() }
    },
    close: () => client.close(),
  }
}

function metadataOf({ bearer, basic, metadata = {} }: Sent): Metadata {
  const all = new Metadata()
  if (bearer !== undefined) all.add('authorization', `Bearer ${bearer}`)
  if (basic !== undefined) {
    const pair = basic.map(encodeURIComponent).join(':')
    all.add('authorization', `Basic ${Buffer.from(pair).toString('base64')}`)
  }
  for (const [key, value] of Object.entries(metadata)) all.add(key, value)
  return all
}

/** The error of a call that must fail. */
export async function refusalOf(call: Promise<unknown>): Promise<Refused> {
  try {
    await call
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
  throw new Error('the call was not refused')
}
