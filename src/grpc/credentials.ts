import type { DescMessage, Message } from '@bufbuild/protobuf'
import type { Credentials } from '../flows/access/authorize-call.ts'
import { type ClientAuthentication, ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import { fail, type Result, success } from '../results.ts'
import { parseAuthorization } from './authorization-header.ts'
import type { RequestValidator } from './validation.ts'

/**
 * Finds the credentials of a call, of whichever of the two ways in; two at once are
 * refused. Of the request, only the credentials are validated here.
 */
export type CredentialsReader = (request: Message, authorization: readonly string[]) => Result<Credentials>

const NONE = success<Credentials>(Object.freeze({ kind: 'none' }))

/** Looks the `client` field up once, so that a call costs one property access. */
export function credentialsReader(input: DescMessage, validator: RequestValidator): CredentialsReader {
  const field = input.fields.find(
    (each) => each.fieldKind === 'message' && each.message.typeName === ClientAuthenticationSchema.typeName,
  )
  const name = field?.name ?? 'client'

  return (request, authorization) => {
    const client = field && clientOf(request, field.localName)
    const [header] = authorization
    if (header !== undefined && authorization.length > 1) {
      return refusal(['authorization'], 'carries more than one value')
    }
    if (client === undefined) return header === undefined ? NONE : success(parseAuthorization(header))
    if (header !== undefined) return refusal([name, 'authorization'], 'authenticates the call beside another way in')
    const violations = validator.validate(ClientAuthenticationSchema, client)
    if (violations.length > 0) {
      const own = violations.map(({ field, description }) => ({ field: `${name}.${field}`, description }))
      return fail('oauth.invalid_request', { violations: own })
    }
    return success({ kind: 'client', clientId: client.clientId, proof: proofOf(client) })
  }
}

/** The descriptor says that the field, where set, is this message. */
function clientOf(request: Message, localName: string): ClientAuthentication | undefined {
  return Reflect.get(request, localName) as ClientAuthentication | undefined
}

function proofOf({ method }: ClientAuthentication): Extract<Credentials, { kind: 'client' }>['proof'] {
  switch (method.case) {
    case 'clientSecret':
      return { kind: 'secret', secret: method.value }
    case 'clientAssertion':
      return { kind: 'assertion', assertion: method.value }
    case undefined:
      return { kind: 'none' }
    default:
      return method satisfies never
  }
}

function refusal(fields: readonly string[], description: string) {
  return fail('oauth.invalid_request', { violations: fields.map((field) => ({ field, description })) })
}
