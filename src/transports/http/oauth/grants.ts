import type { MessageInitShape } from '@bufbuild/protobuf'
import { GRANT_TYPE_NAMES } from '../../../domain/grant-type-names.ts'
import { TRANSACTION_TOKEN_TYPE } from '../../../domain/token-types.ts'
import { DeviceService } from '../../../gen/qscope/v1/device_service_pb.ts'
import { type ExchangeTokenRequestSchema, TokenService } from '../../../gen/qscope/v1/token_service_pb.ts'
import { mapResult, type Result, success } from '../../../results.ts'
import { writeTransactionContext } from '../../../rpc/convert/transaction-context.ts'
import { tokenAnswer } from './answers.ts'
import type { Form } from './form.ts'
import { type FormCall, MethodCall } from './form-call.ts'
import { audiencesOf, clientOf, requiredText, scopesOf } from './parameters.ts'

/** The call for each `grant_type`. */
export const GRANTS: ReadonlyMap<string, (form: Form) => FormCall> = new Map([
  [GRANT_TYPE_NAMES.client_credentials, clientCredentials],
  [GRANT_TYPE_NAMES.authorization_code, authorizationCode],
  [GRANT_TYPE_NAMES.refresh_token, refreshToken],
  [GRANT_TYPE_NAMES.device_code, deviceCode],
  [GRANT_TYPE_NAMES.token_exchange, tokenExchange],
  [GRANT_TYPE_NAMES.jwt_bearer, jwtBearer],
])

/** RFC 6749 §4.4.2. */
function clientCredentials(form: Form): FormCall {
  const request = withClient(form, () =>
    mapResult(audiencesOf(form), (audiences) => ({ scopes: scopesOf(form), audiences })),
  )
  return new MethodCall(TokenService.method.mintToken, request, tokenAnswer)
}

/** RFC 6749 §4.1.3, RFC 7636 §4.5. */
function authorizationCode(form: Form): FormCall {
  const request = withClient(form, () => {
    const code = requiredText(form, 'code')
    const redirectUri = requiredText(form, 'redirect_uri')
    if (!code.ok) return code
    if (!redirectUri.ok) return redirectUri
    const codeVerifier = form.text('code_verifier')
    return mapResult(audiencesOf(form), (audiences) => ({
      code: code.value,
      redirectUri: redirectUri.value,
      ...(codeVerifier !== undefined && { codeVerifier }),
      audiences,
    }))
  })
  return new MethodCall(TokenService.method.exchangeAuthorizationCode, request, tokenAnswer)
}

/** RFC 6749 §6. */
function refreshToken(form: Form): FormCall {
  const request = withClient(form, () => {
    const token = requiredText(form, 'refresh_token')
    if (!token.ok) return token
    return mapResult(audiencesOf(form), (audiences) => ({
      refreshToken: token.value,
      scopes: scopesOf(form),
      audiences,
    }))
  })
  return new MethodCall(TokenService.method.refreshToken, request, tokenAnswer)
}

/** RFC 8628 §3.4. */
function deviceCode(form: Form): FormCall {
  const request = withClient(form, () => {
    const code = requiredText(form, 'device_code')
    return code.ok ? mapResult(audiencesOf(form), (audiences) => ({ deviceCode: code.value, audiences })) : code
  })
  return new MethodCall(DeviceService.method.redeemDeviceCode, request, tokenAnswer)
}

/** RFC 8693 §2.1. */
function tokenExchange(form: Form): FormCall {
  const request = withClient(form, () => exchangeOf(form))
  return new MethodCall(TokenService.method.exchangeToken, request, tokenAnswer)
}

type Exchange = Exclude<MessageInitShape<typeof ExchangeTokenRequestSchema>, { readonly $typeName: string }>

function exchangeOf(form: Form): Result<Exchange> {
  const subjectToken = requiredText(form, 'subject_token')
  const subjectTokenType = requiredText(form, 'subject_token_type')
  const audiences = audiencesOf(form)
  if (!subjectToken.ok) return subjectToken
  if (!subjectTokenType.ok) return subjectTokenType
  if (!audiences.ok) return audiences
  const actorToken = form.text('actor_token')
  const actorTokenType = form.text('actor_token_type')
  const requestedTokenType = form.text('requested_token_type')
  return success({
    subjectToken: subjectToken.value,
    subjectTokenType: subjectTokenType.value,
    ...(actorToken !== undefined && { actorToken }),
    ...(actorTokenType !== undefined && { actorTokenType }),
    ...(requestedTokenType !== undefined && { requestedTokenType }),
    ...transactionContextOf(form, requestedTokenType),
    scopes: scopesOf(form),
    audiences: audiences.value,
  })
}

/**
 * The parameters of draft-ietf-oauth-transaction-tokens. With another requested type they are unknown parameters, which are
 * ignored (RFC 6749 §3.2).
 */
function transactionContextOf(
  form: Form,
  requestedTokenType: string | undefined,
): Pick<Exchange, 'transactionContext'> {
  const requestContext = form.text('request_context')
  const requestDetails = form.text('request_details')
  if (requestedTokenType !== TRANSACTION_TOKEN_TYPE || (requestContext ?? requestDetails) === undefined) return {}
  return {
    transactionContext: writeTransactionContext({
      ...(requestContext !== undefined && { requestContext }),
      ...(requestDetails !== undefined && { requestDetails }),
    }),
  }
}

/** RFC 7523 §2.1. */
function jwtBearer(form: Form): FormCall {
  const request = withClient(form, () => {
    const assertion = requiredText(form, 'assertion')
    const audiences = audiencesOf(form)
    if (!assertion.ok) return assertion
    return mapResult(audiences, (wanted) => ({ assertion: assertion.value, scopes: scopesOf(form), audiences: wanted }))
  })
  return new MethodCall(TokenService.method.exchangeAssertion, request, tokenAnswer)
}

/** A request with the client's identification and authentication, which is checked first. */
function withClient<T extends object>(form: Form, read: () => Result<T>) {
  const client = clientOf(form)
  return client.ok ? mapResult(read(), (fields) => ({ ...client.value, ...fields })) : client
}
