import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { anyUnpack, durationMs } from '@bufbuild/protobuf/wkt'
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { formatAddress } from '../../config/address.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts'
import { TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { UsageError } from '../options/options.ts'
import {
  accessOf,
  type CallCredentials,
  CallFailure,
  type CallOptions,
  type Calls,
  type Refusal,
  type StreamMethod,
  type UnaryMethod,
  withClientCredentials,
} from './calls.ts'
import { type ServerEndpoint, whyUnreachable } from './endpoint.ts'
import { MintedTokens } from './minted-tokens.ts'

const DEADLINE_MS = 30_000
const MANAGEMENT_TOKEN_SECONDS = 60n
const STATUS_DETAILS_KEY = 'grpc-status-details-bin'
const CLIENT_IS_MISSING =
  'this command needs a client: give --client-id, and --client-secret or --client-assertion-file'
/** How `MintToken` refuses a client without the permission, or without the grant `client_credentials`. */
const NOT_PERMITTED: ReadonlySet<string | null> = new Set(['OAUTH_INVALID_SCOPE', 'OAUTH_UNAUTHORIZED_CLIENT'])

/** Calls a server over gRPC. */
export class RemoteCalls implements Calls {
  readonly #endpoint: ServerEndpoint
  readonly #credentials: CallCredentials
  readonly #client: Client
  readonly #tokens = new MintedTokens()

  constructor(endpoint: ServerEndpoint, credentials: CallCredentials) {
    this.#endpoint = endpoint
    this.#credentials = credentials
    this.#client = new Client(formatAddress(endpoint.address), endpoint.channel, endpoint.options)
  }

  get hasClient(): boolean {
    return this.#credentials.client !== null
  }

  get bearer(): string | null {
    return this.#credentials.bearer
  }

  get authenticatesClient(): boolean {
    return this.#credentials.client !== null && this.#credentials.bearer === null
  }

  async call<Input extends DescMessage, Output extends DescMessage>(
    method: UnaryMethod<Input, Output>,
    request: MessageInitShape<Input>,
    { prefersPermission = false }: CallOptions = {},
  ): Promise<MessageShape<Output>> {
    const access = accessOf(method)
    const { bearer, client } = this.#credentials
    if (bearer !== null && access.permission !== '') return await this.#send(method, request, bearer)
    if (prefersPermission && client !== null) {
      const token = await this.#tokenIfPermitted(access.permission)
      if (token !== null) return await this.#send(method, request, token)
    }
    if (access.clientAuthentication) {
      if (client === null && !access.anyone) throw new UsageError(CLIENT_IS_MISSING)
      return await this.#send(method, withClientCredentials(method, request, this.#credentials), null)
    }
    // Calls that need no credentials get none.
    const shown = access.anyone ? null : await this.#bearerFor(access.permission)
    return await this.#send(method, request, shown)
  }

  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: StreamMethod<Input, Output>,
    request: MessageInitShape<Input>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<Output>, void, void> {
    const access = accessOf(method)
    if (access.clientAuthentication && this.#credentials.client === null) throw new UsageError(CLIENT_IS_MISSING)
    const bearer = access.clientAuthentication ? null : await this.#streamBearer(access.permission)
    const running = this.#client.makeServerStreamRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<Input>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, withClientCredentials(method, request, this.#credentials)),
      metadataWith(bearer),
    )
    const cancel = () => running.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      for await (const item of running) yield item as MessageShape<Output>
    } catch (error) {
      if (!signal.aborted) throw isServiceError(error) ? new CallFailure(await refusalOf(error, this.#endpoint)) : error
    } finally {
      signal.removeEventListener('abort', cancel)
      running.cancel()
    }
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  /** A stream ends when its token expires, so a client's token gets the full lifetime. */
  async #streamBearer(permission: string): Promise<string> {
    const { bearer, client } = this.#credentials
    return bearer === null && client !== null ? await this.#mint(permission) : await this.#bearerFor(permission)
  }

  /** The bearer token for a management call: the given token, or one minted for the client. */
  async #bearerFor(permission: string): Promise<string> {
    const { bearer, client } = this.#credentials
    if (bearer !== null) return bearer
    if (client !== null) return await this.#managementToken(permission)
    throw new UsageError(
      `this command requires the permission ${permission}: give --token, or --client-id with --client-secret or --client-assertion-file`,
    )
  }

  /** For a management call by a client: a short-lived token with just that permission. */
  #managementToken(permission: string): Promise<string> {
    const known = this.#tokens.get(permission)
    if (known !== undefined) return known
    const minted = this.#mint(permission, { seconds: MANAGEMENT_TOKEN_SECONDS })
    this.#tokens.set(permission, minted)
    return minted
  }

  /** `null`: the client does not have the permission, or cannot mint tokens. */
  async #tokenIfPermitted(permission: string): Promise<string | null> {
    try {
      return await this.#managementToken(permission)
    } catch (error) {
      if (error instanceof CallFailure && NOT_PERMITTED.has(error.refusal.reason)) return null
      throw error
    }
  }

  /** Without a given lifetime, the client's default applies. */
  async #mint(permission: string, lifetime?: { readonly seconds: bigint }): Promise<string> {
    const method = TokenService.method.mintToken
    const request = { scopes: [permission], ...(lifetime !== undefined && { lifetime }) }
    try {
      const answer = await this.#send(method, withClientCredentials(method, request, this.#credentials), null)
      return answer.token?.accessToken ?? ''
    } catch (error) {
      throw error instanceof CallFailure ? this.#missingPermission(error, permission) : error
    }
  }

  /** The user requested no scope. The refused scope is the permission that the command needs. */
  #missingPermission(failure: CallFailure, permission: string): CallFailure {
    const { refusal } = failure
    if (refusal.reason !== 'OAUTH_INVALID_SCOPE') return failure
    const clientId = this.#credentials.client?.clientId ?? ''
    const description = `the client ${clientId} does not have the permission ${permission}, which this command needs: run qscope client update ${clientId} --add-scope ${permission}`
    return new CallFailure({ ...refusal, description, metadata: {} })
  }

  #send<Input extends DescMessage, Output extends DescMessage>(
    method: UnaryMethod<Input, Output>,
    request: MessageInitShape<Input>,
    bearer: string | null,
  ): Promise<MessageShape<Output>> {
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<Output>>()
    this.#client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<Input>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, request),
      metadataWith(bearer),
      { deadline: Date.now() + DEADLINE_MS },
      (error, answer) => {
        if (error !== null) refusalOf(error, this.#endpoint).then((refusal) => reject(new CallFailure(refusal)), reject)
        else if (answer !== undefined) resolve(answer)
      },
    )
    return promise
  }
}

function metadataWith(bearer: string | null): Metadata {
  const metadata = new Metadata()
  if (bearer !== null) metadata.set('authorization', `Bearer ${bearer}`)
  return metadata
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error
}

async function refusalOf(error: ServiceError, endpoint: ServerEndpoint): Promise<Refusal> {
  const [raw] = error.metadata?.get(STATUS_DETAILS_KEY) ?? []
  const bytes = Buffer.isBuffer(raw) ? raw : Buffer.alloc(0)
  const details = bytes.length === 0 ? [] : fromBinary(StatusSchema, bytes).details
  const detail = <T>(read: (any: (typeof details)[number]) => T | undefined): T | undefined => {
    for (const any of details) {
      const found = read(any)
      if (found !== undefined) return found
    }
    return undefined
  }
  const info = detail((any) => anyUnpack(any, ErrorInfoSchema))
  const { retryDelay } = detail((any) => anyUnpack(any, RetryInfoSchema)) ?? {}
  const [rayId] = error.metadata?.get('x-ray-id') ?? []
  return {
    reason: info?.reason ?? null,
    status: status[error.code] ?? String(error.code),
    description: info === undefined ? await describeUnexplained(error, endpoint) : error.details,
    violations: detail((any) => anyUnpack(any, BadRequestSchema))?.fieldViolations ?? [],
    metadata: info?.metadata ?? {},
    retryAfterMs: retryDelay === undefined ? null : durationMs(retryDelay),
    rayId: detail((any) => anyUnpack(any, RequestInfoSchema))?.requestId ?? (typeof rayId === 'string' ? rayId : null),
  }
}

/** Describes an error without details of QScope: mostly one of the transport. */
async function describeUnexplained({ code, details }: ServiceError, endpoint: ServerEndpoint): Promise<string> {
  const server = formatAddress(endpoint.address)
  if (code === status.UNAVAILABLE) {
    return (await whyUnreachable(endpoint)) ?? `no server answers at ${server}: ${details}`
  }
  if (code === status.DEADLINE_EXCEEDED) {
    return `the server at ${server} did not answer within ${DEADLINE_MS / 1_000} s: it or its database is slow, or does not respond; the call may have been carried out. Its log and qscope doctor, run where the server runs, say more`
  }
  return details
}
