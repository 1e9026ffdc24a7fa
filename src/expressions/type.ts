/** The static type of a value. `any`: unknown; `never`: an element of an empty list. */
export type Type =
  | 'any'
  | 'never'
  | 'bool'
  | 'int'
  | 'double'
  | 'string'
  | 'null'
  | { readonly list: Type }
  | { readonly map: Type }

export const LIST: Type = { list: 'any' }
export const MAP: Type = { map: 'any' }

/** Whether a value of type `type` may have the type `wanted`. */
export function mayBe(type: Type, wanted: Type): boolean {
  if (type === 'any' || type === 'never' || wanted === 'any' || wanted === 'never') return true
  if (typeof type === 'string' || typeof wanted === 'string') return type === wanted
  if ('list' in type) return 'list' in wanted && mayBe(type.list, wanted.list)
  return 'map' in wanted && mayBe(type.map, wanted.map)
}

/** A type that includes both types. */
export function join(a: Type, b: Type): Type {
  if (a === 'never') return b
  if (b === 'never' || a === b) return a
  if (typeof a === 'object' && typeof b === 'object') {
    if ('list' in a && 'list' in b) return { list: join(a.list, b.list) }
    if ('map' in a && 'map' in b) return { map: join(a.map, b.map) }
  }
  return 'any'
}

/** `list(string)`. */
export function nameOf(type: Type): string {
  if (typeof type === 'string') return type === 'never' ? 'any' : type
  return 'list' in type ? `list(${nameOf(type.list)})` : `map(string, ${nameOf(type.map)})`
}

export function elementOf(type: Type): Type | null {
  if (typeof type === 'string') return type === 'any' || type === 'never' ? 'any' : null
  return 'list' in type ? type.list : 'string'
}
