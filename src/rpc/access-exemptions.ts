import type { DescMethod } from '@bufbuild/protobuf'
import type { AccessRule } from '../auth/authorize-call.ts'

/**
 * Methods of other people's contracts, which cannot have the option `(qscope.v1.access)`, by their full names. Each says
 * here who may call it, so that a method that is in neither place still keeps the server from starting. Its route names
 * the peers that may call it, which is judged instead of credentials and before the request is read.
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
