import type { MessageInitShape } from '@bufbuild/protobuf'
import { isWorkloadId } from '../../../domain/spiffe-id.ts'
import type { ClientAuthenticationSchema } from '../../../gen/qscope/v1/client_authentication_pb.ts'
import { fail, invalidRequest, type Result, success } from '../../../results.ts'
import type { Form } from './form.ts'

export type ClientAuthenticationInit = Exclude<
  MessageInitShape<typeof ClientAuthenticationSchema>,
  { readonly $typeName: string }
>

const TYPE_PREFIX = 'urn:ietf:params:oauth:client-assertion-type:'
/** RFC 7523 §2.2. */
const JWT_BEARER = `${TYPE_PREFIX}jwt-bearer`
/** draft-ietf-oauth-spiffe-client-auth §3.1: the assertion is a JWT-SVID. */
const JWT_SPIFFE = `${TYPE_PREFIX}jwt-spiffe`
const LONGEST_CLIENT_ID = 128
/** No client has this id. An assertion without a subject is refused as that of an unknown client, after the same look-ups. */
const NOBODY = '?'

/**
 * The parameters of a form that identify and authenticate the client (RFC 6749 §2.3.1, RFC 7523 §2.2). `undefined`: there are
 * none, so only `authorization` remains. The pipeline checks, as for every call, which method the client is registered for
 * and whether the request uses more than one.
 */
export function clientAuthenticationOf(form: Form): Result<ClientAuthenticationInit | undefined> {
  const clientId = form.text('client_id')
  const secret = form.text('client_secret')
  const assertion = form.text('client_assertion')
  const assertionType = form.text('client_assertion_type')
  if (secret !== undefined && (assertion !== undefined || assertionType !== undefined)) {
    const description = 'is a second way to authenticate the client; send only one'
    const others = ['client_secret', assertion === undefined ? 'client_assertion_type' : 'client_assertion']
    return fail('oauth.invalid_request', { violations: others.map((field) => ({ field, description })) })
  }
  if (secret !== undefined) {
    if (clientId === undefined) return invalidRequest('client_id', 'is required with client_secret')
    return success({ clientId, method: { case: 'clientSecret', value: secret } })
  }
  if (assertion !== undefined || assertionType !== undefined) {
    if (assertion === undefined) return invalidRequest('client_assertion', 'is required with client_assertion_type')
    if (assertionType !== JWT_BEARER && assertionType !== JWT_SPIFFE) {
      return invalidRequest('client_assertion_type', `must be ${JWT_BEARER} or ${JWT_SPIFFE}`)
    }
    const subject = subjectOf(assertion)
    if (assertionType === JWT_SPIFFE && !isWorkloadId(subject ?? '')) {
      return fail('oauth.invalid_client', { because: 'not_an_svid' })
    }
    const method = { case: 'clientAssertion' as const, value: assertion }
    return success({ clientId: clientId ?? clientIdFrom(subject), method })
  }
  return success(clientId === undefined ? undefined : { clientId })
}

/** RFC 7521 §4.2: the assertion names the client, so `client_id` may be omitted. */
function clientIdFrom(subject: string | null): string {
  return subject !== null && subject !== '' && subject.length <= LONGEST_CLIENT_ID ? subject : NOBODY
}

/** The subject that an assertion claims. Its signature is verified later. `null`: it claims none. */
function subjectOf(assertion: string): string | null {
  const [, payload = ''] = assertion.split('.', 2)
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const subject = typeof claims === 'object' && claims !== null && 'sub' in claims ? claims.sub : null
    return typeof subject === 'string' ? subject : null
  } catch {
    return null
  }
}
