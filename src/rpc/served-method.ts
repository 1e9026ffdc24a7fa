import type { DescField, DescMessage } from '@bufbuild/protobuf'
import type { AccessRule } from '../auth/authorize-call.ts'
import { ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import { accessRule } from './access.ts'
import type { CallObserver, MethodObserver } from './call-observer.ts'
import { RequestParser } from './request-limits/request-parser.ts'
import { pathOf, type Route } from './routes.ts'

/** What the pipeline has prepared for the calls of one method. */
export class ServedMethod {
  readonly route: Route
  readonly path: string
  readonly observer: MethodObserver | null
  readonly rule: AccessRule
  /** The field of the request in which a client authenticates; `null`: it has none. */
  readonly credentialsField: DescField | null
  readonly parser: RequestParser<DescMessage, typeof ClientAuthenticationSchema>

  /** @throws Error naming the method, when it lacks a sound access option. */
  constructor(route: Route, observer: CallObserver | undefined) {
    const { method } = route
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

/** The field of a request in which a client authenticates; `null`: it has none. */
export function credentialsField(input: DescMessage): DescField | null {
  const isCredentials = (field: DescField) =>
    field.fieldKind === 'message' && field.message.typeName === ClientAuthenticationSchema.typeName
  return input.fields.find(isCredentials) ?? null
}
