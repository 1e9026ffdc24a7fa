/** What RFC 7541 §4.1 counts for a field beside its bytes. */
const OVERHEAD = 32

/** A header field. Those of the tables are made once, so that a field that comes again costs no string. */
export class HeaderField {
  readonly name: string
  /** One character for each byte (ISO 8859-1). */
  readonly value: string
  /** RFC 7541 §7.1.3: no table may hold it, here or at an intermediary. */
  readonly sensitive: boolean
  /** RFC 7541 §4.1. */
  readonly size: number
  /** What the reader of the fields found out about it; 0 at first. Kept with the field, so that it is found out once. */
  kind = 0

  constructor(name: string, value: string, sensitive = false) {
    this.name = name
    this.value = value
    this.sensitive = sensitive
    this.size = name.length + value.length + OVERHEAD
  }
}
