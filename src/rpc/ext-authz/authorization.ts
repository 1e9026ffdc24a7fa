import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CallContext, Caller } from '../../context.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { RawToken } from '../../domain/ids.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import { verifyToken } from '../../flows/tokens/verify-token.ts'
import { HeaderValueOption_HeaderAppendAction } from '../../gen/envoy/config/core/v3/base_pb.ts'
import type { Authorization, CheckResponseSchema } from '../../gen/envoy/service/auth/v3/external_auth_pb.ts'
import { StatusCode } from '../../gen/envoy/type/v3/http_status_pb.ts'
import { Code } from '../../gen/google/rpc/code_pb.ts'
import { type FailedResult, fail, invalidRequest, type Result, success } from '../../results.ts'
import { challengeOf } from '../challenge.ts'
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'
import { sentenceOf } from '../rpc-status.ts'
import { CheckedRequest } from './checked-request.ts'
import { Replacements } from './replacements.ts'

type Check = typeof Authorization.method.check
type Decision = MessageInitShape<typeof CheckResponseSchema>

/** Only QScope sets headers with this prefix. */
const HEADER_PREFIX = 'x-qscope-'
/** A trusted proxy may see the tokens of all clients. */
const PROXY: Caller = Object.freeze({ kind: 'system', name: 'ext_authz' })

/**
 * External authorization for Envoy: decides by its bearer token whether a request of another service may pass. The
 * `context_extensions` of the proxy's route say what it needs: `audience`, and `required_scopes` with spaces between them;
 * and with `replace_bearer: jwt` that the request passes on with a JWT for that audience in the place of its bearer token.
 */
export class AuthorizationHandlers implements ServiceHandlers<typeof Authorization> {
  readonly #runner: FlowRunner
  readonly #replacements: Replacements

  constructor(runner: FlowRunner) {
    this.#runner = runner
    this.#replacements = new Replacements(runner)
  }

  /**
   * Decides about a request. Fails if no decision is possible: without an audience, or if the database is unavailable. The
   * proxy then refuses the request, unless it is configured to fail open.
   */
  async check(ctx: CallContext, { attributes }: RequestOf<Check>): AnswerOf<Check> {
    const {
      audience = '',
      required_scopes: scopes = '',
      replace_bearer: format = '',
    } = attributes?.contextExtensions ?? {}
    if (attributes === undefined || audience === '') {
      return invalidRequest('attributes.context_extensions', 'must have a value for audience')
    }
    if (format !== '' && format !== 'jwt') {
      return invalidRequest(
        'attributes.context_extensions',
        'must have the value jwt for replace_bearer, or no replace_bearer',
      )
    }
    const request = new CheckedRequest(attributes)
    const presented = request.bearer
    if (presented === null) {
      const because = request.authorization.length === 0 ? 'missing' : 'malformed'
      return success(refused(request, fail('oauth.invalid_token', { because })))
    }
    const proxy = asProxy(ctx)
    const verified = await this.#runner.query(verifyToken, proxy, {
      presented,
      requiredScopes: scopes.split(' ').filter((scope) => scope !== ''),
      audience,
      presentedCertificate: request.certificate,
    })
    if (!verified.ok) return decided(request, verified)
    const { token } = verified.value.status
    if (format === '') return success(allowed(request, token, null))
    const replaced = await this.#replacements.of(proxy, token, audience)
    return replaced.ok ? success(allowed(request, token, replaced.value)) : decided(request, replaced)
  }
}

/** A refused token is a decision. Other failures are passed on. */
function decided(request: CheckedRequest, failed: FailedResult): Result<Decision> {
  const isDecision = failed.code === 'oauth.invalid_token' || failed.code === 'oauth.insufficient_scope'
  return isDecision ? success(refused(request, failed)) : failed
}

function asProxy(ctx: CallContext): CallContext {
  return Object.create(ctx, { caller: { value: PROXY, enumerable: true } })
}

/**
 * Removes headers that the sender forged. The proxy removes headers after it has set others, so a header that is set here
 * is not listed for removal. `bearer` replaces the sender's token; `null` keeps it.
 */
function allowed(request: CheckedRequest, token: AccessToken, bearer: RawToken | null): Decision {
  const told = new Map([
    [`${HEADER_PREFIX}client-id`, token.clientId],
    [`${HEADER_PREFIX}subject`, token.subject],
    [`${HEADER_PREFIX}scopes`, token.scopes.join(' ')],
    [`${HEADER_PREFIX}token-id`, token.tokenId],
  ])
  return {
    status: { code: Code.OK },
    httpResponse: {
      case: 'okResponse',
      value: {
        headers: [
          ...[...told].map(([key, value]) => header(key, value)),
          ...(bearer === null ? [] : [header('authorization', `Bearer ${bearer}`)]),
        ],
        headersToRemove: request.namesWithPrefix(HEADER_PREFIX).filter((name) => !told.has(name)),
      },
    },
  }
}

/** RFC 6750 §3. For a request of gRPC, Envoy makes a status of that protocol from the HTTP status, and its message from the body. */
function refused(request: CheckedRequest, failed: FailedResult): Decision {
  const isForbidden = failed.code === 'oauth.insufficient_scope'
  const sentence = sentenceOf(failed)
  const challenge = request.isGrpc ? null : challengeOf(failed, request.authorization)
  return {
    status: { code: isForbidden ? Code.PERMISSION_DENIED : Code.UNAUTHENTICATED, message: sentence },
    httpResponse: {
      case: 'deniedResponse',
      value: {
        status: { code: isForbidden ? StatusCode.Forbidden : StatusCode.Unauthorized },
        headers: challenge === null ? [] : [header('www-authenticate', challenge)],
        body: sentence,
      },
    },
  }
}

/** A header that takes the place of any of the same name. */
function header(key: string, value: string) {
  return {
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  }
}
