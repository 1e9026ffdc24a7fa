import type { DescService } from '@bufbuild/protobuf'

/** Who may call a method: everyone, or bearers of a token with all of these scopes (none: any good token). */
export type MethodRule = 'anyone' | readonly string[] | AudienceRule

/** A rule of a method whose tokens are for an audience of its own. */
export interface AudienceRule {
  readonly scopes: readonly string[]
  /** Instead of the guard's. A verifier with another audience refuses such tokens: give it `null`. */
  readonly audience: string
}

/** A rule for each path, such as `/orders.v1.OrderService/GetOrder`. What has no rule is open to nobody. */
export type MethodAccess = Readonly<Record<string, MethodRule>>

/**
 * The rules of a service. A method that is forgotten does not compile.
 *
 * @example
 * methodAccess(OrderService, { getOrder: ['orders.read'], createOrder: ['orders.write'] })
 */
export function methodAccess<S extends DescService>(
  service: S,
  rules: { readonly [M in keyof S['method']]: MethodRule },
): MethodAccess {
  const byName = new Map<string, MethodRule>(Object.entries(rules))
  const paths = service.methods.map((method) => {
    const rule = byName.get(method.localName)
    if (rule === undefined) throw new TypeError(`${service.typeName}.${method.name} has no rule`)
    return [`/${service.typeName}/${method.name}`, rule] as const
  })
  return Object.freeze(Object.fromEntries(paths))
}
