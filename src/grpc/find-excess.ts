import type { FieldViolation } from '../errors/registry.ts'
import type { FieldBounds, MessageBounds } from './request-bounds.ts'

/** Of the protobuf wire format. */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const GROUP_START = 3
const GROUP_END = 4
const FIXED32 = 5

/**
 * Walks an encoded message and finds a list with more items than validation
 * would accept, or more fields in all than the schema can need; `null`: none.
 * Nothing is allocated for the fields: a megabyte of empty ones takes half a
 * second to parse, which nobody shall be made to do before the caller is known.
 * What is not a valid encoding is left for the parser to refuse.
 */
export function findExcess(bytes: Uint8Array, bounds: MessageBounds): FieldViolation | null {
  return new Walk(bytes, bounds.maxFields).message(bounds, bytes.length, '')
}

class Walk {
  readonly #bytes: Uint8Array
  #at = 0
  #fieldsLeft: number
  /** Set where the encoding makes no sense: the walk is over. */
  #broken = false

  constructor(bytes: Uint8Array, maxFields: number) {
    this.#bytes = bytes
    this.#fieldsLeft = maxFields
  }

  message(bounds: MessageBounds, end: number, path: string): FieldViolation | null {
    /** Items so far, of the lists that were met. */
    let items: Map<number, number> | null = null
    let groups = 0
    while (this.#at < end && !this.#broken) {
      const tag = this.#varint(end)
      this.#fieldsLeft -= 1
      if (this.#fieldsLeft < 0) return { field: path, description: 'the message has too many fields' }
      const [wireType, number] = [tag & 7, tag >>> 3]
      if (wireType === GROUP_START) groups += 1
      else if (wireType === GROUP_END) groups -= 1
      // Nothing in a group is known to the schema.
      const field = groups === 0 ? bounds.fields.get(number) : undefined
      if (field === undefined) {
        this.#skip(wireType, end)
        continue
      }
      const count = this.#itemsAhead(field, wireType, end)
      if (field.maxItems !== null) {
        items ??= new Map()
        const sum = (items.get(number) ?? 0) + count
        if (sum > field.maxItems) {
          return { field: join(path, field.name), description: `must have at most ${field.maxItems} items` }
        }
        items.set(number, sum)
      }
      if (field.message !== null && wireType === BYTES) {
        const length = this.#varint(end)
        const inner = this.#at + length
        if (inner > end) this.#broken = true
        else {
          const excess = this.message(field.message, inner, join(path, field.name))
          if (excess !== null) return excess
        }
      } else this.#skip(wireType, end)
    }
    return null
  }

  /** How many items the field holds whose tag was just read; leaves the place as it is. */
  #itemsAhead({ packing }: FieldBounds, wireType: number, end: number): number {
    if (packing === 'none' || wireType !== BYTES) return 1
    const back = this.#at
    const length = this.#varint(end)
    const last = Math.min(end, this.#at + length)
    let count = 0
    if (packing === 'fixed32') count = Math.floor(length / 4)
    else if (packing === 'fixed64') count = Math.floor(length / 8)
    else for (let at = this.#at; at < last; at += 1) if ((this.#bytes[at] ?? 0) < 0x80) count += 1
    this.#at = back
    return count
  }

  #skip(wireType: number, end: number): void {
    switch (wireType) {
      case VARINT:
        this.#varint(end)
        break
      case FIXED64:
        this.#at += 8
        break
      case BYTES: {
        const length = this.#varint(end)
        this.#at += length
        break
      }
      case GROUP_START:
      case GROUP_END:
        break
      case FIXED32:
        this.#at += 4
        break
      default:
        this.#broken = true
    }
    if (this.#at > end) this.#broken = true
  }

  /** The low 32 bits: enough for tags and lengths. */
  #varint(end: number): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= end) break
      const byte = this.#bytes[this.#at] ?? 0
      this.#at += 1
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    this.#broken = true
    return 0
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
