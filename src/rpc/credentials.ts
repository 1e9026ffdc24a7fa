import type { DescField, DescMessage } from '@bufbuild/protobuf'
import type { Credentials } from '../auth/credentials.ts'
import { type ClientAuthentication, ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import { fail, type Result, success } from '../results.ts'
import { parseAuthorization } from './authorization-header.ts'
import type { RequestValidator } from './validation.ts'

/** The field of a request in which a client proves itself; `null`: it has none. */
export function credentialsField(input: DescMessage): DescField | null {
  const isProof = (field: DescField) =>
    field.fieldKind === 'message' && field.message.typeName === ClientAuthenticationSchema.typeName
  return input.fields.find(isProof) ?? null
}

/**
 * Finds the credentials of a call, of whichever of the two ways in; two at once are
 * refused. Of the request, only the credentials are validated here.
 */
export type CredentialsReader = (
  client: ClientAuthentication | null,
  authorization: readonly string[],
) => Result<Credentials>

const NONE = success<Credentials>(Object.freeze({ kind: 'none' }))

export function credentialsReader(field: DescField | null, validator: RequestValidator): CredentialsReader {
  const name = field?.name ?? 'client'

  return (client, authorization) => {
    const [header] = authorization
    if (header !== undefined && authorization.length > 1) {
      return refusal(['authorization'], 'carries more than one value')
    }
    if (client === null) return header === undefined ? NONE : success(parseAuthorization(header))
    if (header !== undefined) return refusal([name, 'authorization'], 'authenticates the call beside another way in')
    const violations = validator.validate(ClientAuthenticationSchema, client)
    if (violations.length > 0) {
      const own = violations.map(({ field, description }) => ({ field: `${name}.${field}`, description }))
      return fail('oauth.invalid_request', { violations: own })
    }
    return success({ kind: 'client', clientId: client.clientId, proof: proofOf(client) })
  }
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
