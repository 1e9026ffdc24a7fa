import type { HeaderField } from './hpack/header-field.ts'

/** The kind of a request field. It is kept in `HeaderField.kind`, where 0 means that it was not determined yet. */
export const FieldKind = Object.freeze({
  MALFORMED: 1,
  REGULAR: 2,
  CONTENT_LENGTH: 3,
  HOST: 4,
  METHOD: 5,
  SCHEME: 6,
  AUTHORITY: 7,
  PATH: 8,
})

/** RFC 9113 §8.3.1. `:protocol` (RFC 8441) is not supported. */
const KINDS: ReadonlyMap<string, number> = new Map([
  [':method', FieldKind.METHOD],
  [':scheme', FieldKind.SCHEME],
  [':authority', FieldKind.AUTHORITY],
  [':path', FieldKind.PATH],
  ['content-length', FieldKind.CONTENT_LENGTH],
  ['host', FieldKind.HOST],
  // RFC 9113 §8.2.2: these fields are specific to a connection of HTTP/1.1.
  ['connection', FieldKind.MALFORMED],
  ['proxy-connection', FieldKind.MALFORMED],
  ['keep-alive', FieldKind.MALFORMED],
  ['transfer-encoding', FieldKind.MALFORMED],
  ['upgrade', FieldKind.MALFORMED],
])

/** RFC 9110 §5.6.2, without upper case (RFC 9113 §8.2.1). */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** RFC 9110 §5.5: no controls, in particular no CR, LF or NUL. Spaces and tabs may not stand at either end (RFC 9113 §8.2.1). */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/
/** RFC 9113 §8.3.1: no user information. */
const AUTHORITY = /^[\x21-\x3f\x41-\x7e]*$/
/** The forms of RFC 9112 §3.2 that HTTP/2 allows: a path with its query, or an asterisk. */
const PATH = /^(?:\/[\x21-\x7e]*|\*)$/
const CONTENT_LENGTH = /^[0-9]{1,15}$/

/** Determines the kind of a field at its first use. */
export function kindOf(field: HeaderField): number {
  if (field.kind === 0) field.kind = classify(field)
  return field.kind
}

function classify({ name, value }: HeaderField): number {
  if (name === 'te') return value === 'trailers' ? FieldKind.REGULAR : FieldKind.MALFORMED
  const kind = KINDS.get(name)
  if (kind === undefined) return NAME.test(name) && VALUE.test(value) ? FieldKind.REGULAR : FieldKind.MALFORMED
  return isValid(kind, value) ? kind : FieldKind.MALFORMED
}

function isValid(kind: number, value: string): boolean {
  switch (kind) {
    case FieldKind.METHOD:
      return METHOD.test(value)
    case FieldKind.SCHEME:
      return SCHEME.test(value)
    case FieldKind.AUTHORITY:
    case FieldKind.HOST:
      return AUTHORITY.test(value)
    case FieldKind.PATH:
      return PATH.test(value)
    case FieldKind.CONTENT_LENGTH:
      return CONTENT_LENGTH.test(value)
    default:
      return false
  }
}
