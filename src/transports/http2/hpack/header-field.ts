/** The overhead of a field by RFC 7541 §4.1, in bytes. */
const OVERHEAD = 32

/** A header field. The fields of the tables are reused, so a repeated field creates no string. */
export class HeaderField {
  readonly name: string
  /** One character for each byte (ISO 8859-1). */
  readonly value: string
  /** RFC 7541 §7.1.3: the field must not be in any table, here or at an intermediary. */
  readonly sensitive: boolean
  /** RFC 7541 §4.1. */
  readonly size: number
  /** The kind of the field as its reader determined it; 0 at first. It is kept with the field, so that it is determined once. */
  kind = 0

  constructor(name: string, value: string, sensitive = false) {
    this.name = name
    this.value = value
    this.sensitive = sensitive
    this.size = name.length + value.length + OVERHEAD
  }
}
