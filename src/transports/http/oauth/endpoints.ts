import type { DescMethodUnary } from '@bufbuild/protobuf'
import {
  DEVICE_AUTHORIZATION_PATH,
  INTROSPECTION_PATH,
  REVOCATION_PATH,
  TOKEN_PATH,
} from '../../../domain/endpoint-paths.ts'
import { DeviceService } from '../../../gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../../gen/qscope/v1/token_service_pb.ts'
import { fail, mapResult, type Result, success } from '../../../results.ts'
import type { Answer } from '../exchange/answer.ts'
import { deviceAuthorizationAnswer, introspectionAnswer } from './answers.ts'
import type { Form } from './form.ts'
import { type FormCall, MethodCall } from './form-call.ts'
import { GRANTS } from './grants.ts'
import { audiencesOf, clientOf, requiredText, scopesOf } from './parameters.ts'

/** An endpoint for forms over HTTP. */
export interface FormEndpoint {
  readonly path: string
  /** The only call of this endpoint; `null`: the form selects the call. */
  readonly method: DescMethodUnary | null
  /** Whether some requests to this endpoint may be JSON; see `readForm`. */
  readonly mayBeJson: boolean
  /** The call for a form. `acceptsSigned`: the sender asks for a signed answer (RFC 9701 §4). */
  read(form: Form, acceptsSigned: boolean): Result<FormCall>
}

/** RFC 6749 §3.2. */
export class TokenEndpoint implements FormEndpoint {
  readonly path = TOKEN_PATH
  readonly method = null
  readonly mayBeJson = true

  read(form: Form): Result<FormCall> {
    const grantType = requiredText(form, 'grant_type')
    if (!grantType.ok) return grantType
    const read = GRANTS.get(grantType.value)
    return read === undefined ? fail('oauth.unsupported_grant_type', { because: 'unknown' }) : success(read(form))
  }
}

/** RFC 7662 §2. */
export class IntrospectionEndpoint implements FormEndpoint {
  readonly path = INTROSPECTION_PATH
  readonly method = TokenService.method.introspectToken
  readonly mayBeJson = false

  read(form: Form, acceptsSigned: boolean): Result<FormCall> {
    const request = mapResult(presentedToken(form), (presented) => ({ ...presented, signed: acceptsSigned }))
    return success(new MethodCall(this.method, request, introspectionAnswer))
  }
}

/** RFC 7009 §2.2: the client ignores the content of the answer. */
const DONE: Answer = Object.freeze({ status: 200, contentType: null, body: '' })

/** RFC 7009 §2. */
export class RevocationEndpoint implements FormEndpoint {
  readonly path = REVOCATION_PATH
  readonly method = TokenService.method.revokeToken
  readonly mayBeJson = false

  read(form: Form): Result<FormCall> {
    return success(new MethodCall(this.method, presentedToken(form), () => DONE))
  }
}

/** RFC 8628 §3.1. */
export class DeviceAuthorizationEndpoint implements FormEndpoint {
  readonly path = DEVICE_AUTHORIZATION_PATH
  readonly method = DeviceService.method.startDeviceAuthorization
  readonly mayBeJson = false

  read(form: Form): Result<FormCall> {
    const client = clientOf(form)
    const audiences = audiencesOf(form)
    const request = !client.ok
      ? client
      : mapResult(audiences, (wanted) => ({ ...client.value, scopes: scopesOf(form), audiences: wanted }))
    return success(new MethodCall(this.method, request, deviceAuthorizationAnswer))
  }
}

function presentedToken(form: Form) {
  const client = clientOf(form)
  const token = requiredText(form, 'token')
  if (!client.ok) return client
  const hint = form.text('token_type_hint')
  return mapResult(token, (presented) => ({
    ...client.value,
    token: presented,
    ...(hint !== undefined && { tokenTypeHint: hint }),
  }))
}
