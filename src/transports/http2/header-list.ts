import type { RequestHeaders } from './application.ts'
import { FieldKind, kindOf } from './field-rules.ts'
import type { FieldSink } from './hpack/decoder.ts'
import type { HeaderField } from './hpack/header-field.ts'

/**
 * The fields of one header block of a request, or of its trailers. They are validated as they are decoded (RFC 9113 §8.2 and
 * §8.3). Fields beyond the size limit are not kept; they are decoded only for the dynamic table.
 */
export class FieldList implements RequestHeaders, FieldSink {
  method = ''
  scheme = ''
  path = ''
  authority: string | undefined = undefined
  bytes = 0
  /** -1 if the field is missing. */
  contentLength = -1
  /** The name of the first field that is malformed by itself. */
  malformedField: string | null = null
  readonly #trailers: boolean
  readonly #maxBytes: number
  readonly #fields: HeaderField[] = []
  #host: string | undefined = undefined
  #malformed = false

  /** `trailers` have no pseudo-header fields. */
  constructor(trailers: boolean, maxBytes: number) {
    this.#trailers = trailers
    this.#maxBytes = maxBytes
  }

  get tooLong(): boolean {
    return this.bytes > this.#maxBytes
  }

  field(field: HeaderField): void {
    this.bytes += field.size
    if (this.tooLong || this.#malformed) return
    const kind = kindOf(field)
    if (kind >= FieldKind.METHOD) this.#pseudo(kind, field.value)
    else this.#regular(kind, field)
  }

  /** Whether the block is valid for a request, or for trailers. Call this after the last field (RFC 9113 §8.1.1, §8.3.1). */
  isWellFormed(): boolean {
    if (this.#malformed) return false
    if (this.#trailers) return true
    if (this.method === 'CONNECT') return this.authority !== undefined && this.scheme === '' && this.path === ''
    if (this.method === '' || this.scheme === '' || this.path === '') return false
    if (this.path === '*' && this.method !== 'OPTIONS') return false
    if (this.authority === undefined) this.authority = this.#host
    return this.#host === undefined || this.#host === this.authority
  }

  get(name: string): string | undefined {
    for (const field of this.#fields) if (field.name === name) return field.value
    return undefined
  }

  getAll(name: string): readonly string[] {
    return this.#fields.filter((field) => field.name === name).map(({ value }) => value)
  }

  *entries(): IterableIterator<readonly [name: string, value: string]> {
    for (const { name, value } of this.#fields) yield [name, value]
  }

  #regular(kind: number, field: HeaderField): void {
    switch (kind) {
      case FieldKind.MALFORMED:
        this.#malformed = true
        this.malformedField = field.name
        return
      case FieldKind.CONTENT_LENGTH: {
        const length = Number(field.value)
        this.#malformed = this.contentLength >= 0 && this.contentLength !== length
        this.contentLength = length
        break
      }
      case FieldKind.HOST:
        this.#malformed = this.#host !== undefined
        this.#host = field.value
        break
    }
    this.#fields.push(field)
  }

  /** RFC 9113 §8.3: each pseudo-header field at most once, before all other fields, and not in trailers. */
  #pseudo(kind: number, value: string): void {
    if (this.#trailers || this.#fields.length > 0) {
      this.#malformed = true
      return
    }
    switch (kind) {
      case FieldKind.METHOD:
        this.#malformed = this.method !== ''
        this.method = value
        return
      case FieldKind.SCHEME:
        this.#malformed = this.scheme !== ''
        this.scheme = value
        return
      case FieldKind.PATH:
        this.#malformed = this.path !== ''
        this.path = value
        return
      case FieldKind.AUTHORITY:
        this.#malformed = this.authority !== undefined
        this.authority = value
        return
    }
  }
}
