import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import type { AccessRule } from '../auth/authorize-call.ts'
import { isPermission } from '../domain/scopes.ts'
import { ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import { access } from '../gen/qscope/v1/options_pb.ts'
import type { FailedResult } from '../results.ts'
import { outcomeUnknown, outcomeUnknownSafely } from '../store-failure.ts'
import { exemptionOf } from './access-exemptions.ts'
import type { CallObserver, MethodObserver } from './call-observer.ts'
import { RequestParser } from './request-limits/request-parser.ts'
import { pathOf, type Route } from './routes.ts'

/** The prepared data for calls of one method. */
export class ServedMethod {
  readonly route: Route
  readonly path: string
  readonly observer: MethodObserver | null
  readonly rule: AccessRule
  /** The request field with the client's credentials. `null`: none. */
  readonly credentialsField: DescField | null
  readonly parser: RequestParser<DescMessage, typeof ClientAuthenticationSchema>

  /** @throws Error naming the method, if its access option is missing or invalid, or if it is exempt from it and open to every peer. */
  constructor(route: Route, observer: CallObserver | undefined) {
    const { method, peers } = route
    if (peers === null && exemptionOf(method) !== null) {
      throw new Error(
        `${pathOf(method)} has no option (qscope.v1.access), and its route does not say which peers may call it`,
      )
    }
    const field = credentialsField(method.input)
    this.route = route
    this.path = pathOf(method)
    this.observer = observer?.of(method) ?? null
    this.rule = accessRule(method)
    this.credentialsField = field
    this.parser = new RequestParser<DescMessage, typeof ClientAuthenticationSchema>(method.input, {
      emptyIsOmitted: this.rule.clientAuthentication,
      early: field === null ? null : { field, schema: ClientAuthenticationSchema },
    })
  }
}

/** The request field with the client's credentials. `null`: none. */
export function credentialsField(input: DescMessage): DescField | null {
  const isCredentials = (field: DescField) =>
    field.fieldKind === 'message' && field.message.typeName === ClientAuthenticationSchema.typeName
  return input.fields.find(isCredentials) ?? null
}

/**
 * Reads who may call a method from its `(qscope.v1.access)` option, or from the list of methods that are exempt.
 *
 * @throws Error naming the method, when the option is missing or contradicts
 *   itself: nothing is open by omission, and such a server does not start.
 */
function accessRule(method: DescMethod): AccessRule {
  const exemption = exemptionOf(method)
  if (exemption !== null) return exemption
  if (!hasOption(method, access)) throw new Error(`${pathOf(method)} lacks the option (qscope.v1.access)`)
  const { permission, clientAuthentication, anyone, idempotent } = getOption(method, access)
  if (permission !== '' && !isPermission(permission)) {
    throw new Error(`${pathOf(method)}: (qscope.v1.access) names the unknown permission "${permission}"`)
  }
  if (anyone && permission !== '') {
    throw new Error(`${pathOf(method)}: (qscope.v1.access) is open to anyone and asks for a permission too`)
  }
  if (!anyone && permission === '' && !clientAuthentication) {
    throw new Error(`${pathOf(method)}: (qscope.v1.access) lets nobody in`)
  }
  if (idempotent !== (method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN)) {
    throw new Error(`${pathOf(method)}: idempotency_level and (qscope.v1.access) differ about whether it is idempotent`)
  }
  return Object.freeze({ permission: permission === '' ? null : permission, clientAuthentication, anyone, idempotent })
}

/** Adds whether an unconfirmed change may be retried. The method's option decides where the flow does not. */
export function withRetryAdvice(rule: AccessRule, refusal: FailedResult): FailedResult {
  return rule.idempotent && refusal.code === 'resource.outcome_unknown' ? outcomeUnknownSafely() : refusal
}

/** The answer to an aborted call. The call may still take effect. */
export function abortedCall(method: DescMethod): FailedResult {
  return withRetryAdvice(accessRule(method), outcomeUnknown())
}
