import type { DescMethod } from '@bufbuild/protobuf'
import type { AccessRule } from '../auth/authorize-call.ts'

/**
 * The access rules of methods of third-party contracts, which cannot have the option `(qscope.v1.access)`, by full method
 * name. The server does not start with a method that has neither the option nor an entry here. The route of such a method
 * names the peers that may call it. This is checked instead of credentials, before the request is read.
 */
const ACCESS_EXEMPTIONS: ReadonlyMap<string, AccessRule> = new Map([
  [
    'envoy.service.auth.v3.Authorization.Check',
    Object.freeze({ permission: null, clientAuthentication: false, anyone: true, idempotent: true }),
  ],
])

/** The access rule of a method that is exempt from the option; `null`: the method needs the option. */
export function exemptionOf(method: DescMethod): AccessRule | null {
  return ACCESS_EXEMPTIONS.get(`${method.parent.typeName}.${method.name}`) ?? null
}
