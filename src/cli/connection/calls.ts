import {
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  getOption,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { FieldViolation } from '../../errors/registry.ts'
import { ClientAuthenticationSchema } from '../../gen/qscope/v1/client_authentication_pb.ts'
import { type Access, access } from '../../gen/qscope/v1/options_pb.ts'

export type UnaryMethod<
  Input extends DescMessage = DescMessage,
  Output extends DescMessage = DescMessage,
> = DescMethodUnary<Input, Output>

export type StreamMethod<
  Input extends DescMessage = DescMessage,
  Output extends DescMessage = DescMessage,
> = DescMethodServerStreaming<Input, Output>

export interface CallOptions {
  /**
   * For a method that takes a permission or a client: whether a client that has the permission uses it. Bearers of the
   * permission see the tokens of all clients.
   */
  readonly prefersPermission?: boolean
}

/**
 * Calls an RPC, either in this process on the database, or on a server. Commands are written once against this
 * interface.
 */
export interface Calls {
  /** Returns the answer, or throws `CallFailure`. Client credentials, where the method takes them, are filled in. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: UnaryMethod<Input, Output>,
    request: MessageInitShape<Input>,
    options?: CallOptions,
  ): Promise<MessageShape<Output>>
  /**
   * The answers of a stream as they come, until it ends or `signal` is aborted, with client credentials as above; throws
   * `CallFailure` where it is refused or breaks.
   */
  stream<Input extends DescMessage, Output extends DescMessage>(
    method: StreamMethod<Input, Output>,
    request: MessageInitShape<Input>,
    signal: AbortSignal,
  ): AsyncIterable<MessageShape<Output>>
  /** Whether OAuth calls authenticate a client; without one, tokens are checked as operator or bearer. */
  readonly authenticatesClient: boolean
  /** Whether there is a client that can be authenticated. */
  readonly hasClient: boolean
  /** The given bearer token, or that of the login. `null`: there is none. */
  readonly bearer: string | null
  close(): Promise<void>
}

/** The credentials of the command line. */
export interface CallCredentials {
  readonly client: {
    readonly clientId: string
    readonly clientSecret: string | null
    /** A platform's assertion instead of a secret. It is read for each call, because the platform renews it. */
    readonly clientAssertion?: () => string
  } | null
  readonly bearer: string | null
}

/** The access rule of a method, as the proto says. */
export function accessOf(method: DescMethod): Access {
  return getOption(method, access)
}

/** Adds the client's credentials to a request whose method has a field for them. */
export function withClientCredentials<Input extends DescMessage>(
  method: UnaryMethod<Input> | StreamMethod<Input>,
  request: MessageInitShape<Input>,
  { client }: CallCredentials,
): MessageInitShape<Input> {
  const field = method.input.field['client']
  if (client === null || field?.message?.typeName !== ClientAuthenticationSchema.typeName) return request
  const { clientId, clientSecret, clientAssertion } = client
  if (clientAssertion !== undefined) {
    return { ...request, client: { clientId, method: { case: 'clientAssertion', value: clientAssertion() } } }
  }
  const secret = clientSecret === null ? {} : { method: { case: 'clientSecret' as const, value: clientSecret } }
  return { ...request, client: { clientId, ...secret } }
}

/** The reason for a refusal, as far as the server states it. */
export interface Refusal {
  /** Such as `OAUTH_INVALID_CLIENT`. `null`: the status comes from the transport. */
  readonly reason: string | null
  readonly status: string
  readonly description: string
  readonly violations: readonly FieldViolation[]
  readonly metadata: Readonly<Record<string, string>>
  /** The delay that the server requests (google.rpc.RetryInfo). `null`: none. */
  readonly retryAfterMs: number | null
  readonly rayId: string | null
}

export class CallFailure extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(describeRefusal(refusal))
    this.name = 'CallFailure'
    this.refusal = refusal
  }
}

/** One line: reason, description, what of the details it does not say, and ray id. */
function describeRefusal({ reason, status, description, violations, metadata, rayId }: Refusal): string {
  const fields = violations
    .map((violation) => `${violation.field} ${violation.description}`)
    .filter((text) => !description.includes(text))
  const values = Object.entries(metadata)
    .filter(([name, value]) => name !== 'oauth_error' && !description.includes(value))
    .map(([name, value]) => `${name}: ${value}`)
  const details = [...fields, ...values].join('; ')
  return `${reason ?? status}: ${description}${details === '' ? '' : ` [${details}]`}${rayId === null ? '' : ` (ray id ${rayId})`}`
}
