import type { Credentials } from '../auth/credentials.ts'
import { type ClientAuthentication, ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import { type FailedResult, fail, type Result, success } from '../results.ts'
import type { RequestValidator } from './request-validator.ts'

const NONE = success<Credentials>(Object.freeze({ kind: 'none' }))
const MALFORMED: Credentials = Object.freeze({ kind: 'malformed' })

const SCHEME = /^([A-Za-z]+) +(\S+) *$/
/** RFC 6750 §2.1: b64token. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Finds the credentials of a call: in its request or in `authorization`. Both may
 * name the client, if they name the same one; only one of them may prove it (RFC
 * 6749 §2.3). Of the request, only the credentials are validated here.
 *
 * @param client the field `fieldName` of the request; `null`: it is not set.
 * @param authorization every value that came.
 */
export function findCredentials(
  client: ClientAuthentication | null,
  fieldName: string,
  authorization: readonly string[],
  validator: RequestValidator,
): Result<Credentials> {
  const [header] = authorization
  if (header !== undefined && authorization.length > 1) {
    return refusal(['authorization'], 'must have only one value')
  }
  if (client === null) return header === undefined ? NONE : success(parseAuthorization(header))
  if (header !== undefined && client.method.case !== undefined) {
    return refusal([fieldName, 'authorization'], 'is a second way to authenticate the call; send only one')
  }
  const violations = validator.validate(ClientAuthenticationSchema, client)
  if (violations.length > 0) {
    const own = violations.map(({ field, description }) => ({ field: `${fieldName}.${field}`, description }))
    return fail('oauth.invalid_request', { violations: own })
  }
  if (header !== undefined) return besideClientId(client.clientId, header, fieldName)
  return success({ kind: 'client', clientId: client.clientId, proof: proofOf(client) })
}

/** RFC 6749 §3.2.1: a client that authenticates with `Basic` may also be named in the request. */
function besideClientId(clientId: string, header: string, fieldName: string): Result<Credentials> {
  const credentials = parseAuthorization(header)
  switch (credentials.kind) {
    case 'client':
      return credentials.clientId === clientId
        ? success(credentials)
        : refusal([`${fieldName}.client_id`, 'authorization'], 'does not name the same client as the other')
    case 'bearer':
      return refusal([fieldName, 'authorization'], 'is a second way to authenticate the call; send only one')
    case 'malformed':
    case 'none':
      return success(credentials)
    default:
      return credentials satisfies never
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

/** Reads the value of `authorization`: `Basic` (RFC 6749 §2.3.1) or `Bearer` (RFC 6750 §2.1). */
export function parseAuthorization(value: string): Credentials {
  const [, scheme = '', parameter = ''] = SCHEME.exec(value) ?? []
  switch (scheme.toLowerCase()) {
    case 'basic':
      return parseBasic(parameter)
    case 'bearer':
      return BEARER.test(parameter) ? { kind: 'bearer', token: parameter } : MALFORMED
    default:
      return MALFORMED
  }
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined by a colon. */
function parseBasic(parameter: string): Credentials {
  if (!BASE64.test(parameter)) return MALFORMED
  try {
    const pair = utf8.decode(Buffer.from(parameter, 'base64'))
    const colon = pair.indexOf(':')
    if (colon < 1) return MALFORMED
    const clientId = formDecode(pair.slice(0, colon))
    const secret = formDecode(pair.slice(colon + 1))
    // No id contains U+0000, and some databases cannot search for it.
    if (clientId.includes('\0')) return MALFORMED
    return { kind: 'client', clientId, proof: secret === '' ? { kind: 'none' } : { kind: 'secret', secret } }
  } catch {
    return MALFORMED
  }
}

/** @throws URIError for a broken percent sequence. */
function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function refusal(fields: readonly string[], description: string): FailedResult {
  return fail('oauth.invalid_request', { violations: fields.map((field) => ({ field, description })) })
}
