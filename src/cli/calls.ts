import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { FieldViolation } from '../errors/registry.ts'

/**
 * "Call this RPC": on the database in this process, or on a server. Commands
 * are written once against it.
 */
export interface Calls {
  /** Returns the answer, or throws `CallFailure`. Client credentials, where the method takes them, are filled in. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output>>
  /** Whether OAuth calls prove a client; without, checks of tokens are made as operator or bearer. */
  readonly provesClient: boolean
  close(): Promise<void>
}

/** What the command line shows to prove who it is. */
export interface CallCredentials {
  readonly client: { readonly clientId: string; readonly clientSecret: string | null } | null
  readonly bearer: string | null
}

/** Why a call was refused, as far as the server said. */
export interface Refusal {
  /** Such as `OAUTH_INVALID_CLIENT`; `null` for statuses the transport makes. */
  readonly reason: string | null
  readonly status: string
  readonly description: string
  readonly violations: readonly FieldViolation[]
  readonly metadata: Readonly<Record<string, string>>
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

/** One line: reason, description, fields and ray id. */
function describeRefusal({ reason, status, description, violations, metadata, rayId }: Refusal): string {
  const fields = violations.map((violation) => `${violation.field}: ${violation.description}`)
  const facts = Object.entries(metadata)
    .filter(([name]) => name !== 'oauth_error')
    .map(([name, value]) => `${name}: ${value}`)
  const details = [...fields, ...facts].join('; ')
  return `${reason ?? status}: ${description}${details === '' ? '' : ` [${details}]`}${rayId === null ? '' : ` (ray id ${rayId})`}`
}
