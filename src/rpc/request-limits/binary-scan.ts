import type { FieldViolation } from '../../errors/registry.ts'
import {
  BYTES,
  type Encoding,
  FIXED32,
  FIXED64,
  type FieldLimits,
  MAX_MASK_BYTES,
  type MessageLimits,
  VARINT,
} from './message-limits.ts'
import {
  excessOf,
  inside,
  MASK_TOO_LONG,
  MAX_DEPTH,
  NONE,
  nulIn,
  refusal,
  repeatedKeyIn,
  Scan,
  TOO_DEEP,
} from './scan.ts'

/** How many unknown fields a message may have. Clients newer than the server send them. */
const MAX_UNKNOWN_FIELDS = 1_000

const NOTHING = new Uint8Array()

const BROKEN = Object.freeze(refusal('', 'is not a valid encoding'))
const TOO_MANY_UNKNOWN = Object.freeze(refusal('', 'has too many unknown fields'))

/**
 * Scans an encoded request before it is decoded. It refuses a message that exceeds the limits of the schema, and every
 * encoding that it does not accept exactly, because the scanner and the decoder must not read one message differently. An
 * accepted message is decoded to exactly what was counted. The scan allocates nothing per field and takes a few
 * milliseconds for a megabyte.
 *
 * Stricter than protobuf asks, each for that reason: a field that is not a list comes once; of a oneof one field comes;
 * a known field has its own wire type; there are no groups; a map has a key once; nothing reaches beyond the message that
 * it is in; and tags and lengths have 32 bits.
 */
export class BinaryScan extends Scan {
  #bytes: Uint8Array = NOTHING
  #at = 0
  /** Most requests hold no zero at all, and then no text of theirs does. */
  #mayHoldNul = false
  /** Where the last text began. */
  #textAt = 0

  scan(bytes: Uint8Array): FieldViolation | null {
    this.reset()
    this.#bytes = bytes
    this.#at = 0
    this.#mayHoldNul = bytes.includes(0)
    const violation = this.#message(this.root, bytes.length, 0)
    if (violation === null)
      for (const field of this.root.fields) if (field.kind === 'list') this.items += this.counts.of(field.slot)
    this.#bytes = NOTHING
    return violation
  }

  #message(limits: MessageLimits, end: number, depth: number): FieldViolation | null {
    if (depth > MAX_DEPTH) return TOO_DEEP
    const base = this.counts.enter(limits.slots)
    while (this.#at < end) {
      const tag = this.#varint32(end)
      if (tag === NONE || tag < 8) return BROKEN
      const field = limits.byNumber.get(tag >>> 3)
      if (field === undefined) {
        this.unknown += 1
        if (this.unknown > MAX_UNKNOWN_FIELDS) return TOO_MANY_UNKNOWN
        if (!this.#skip(tag & 7, end)) return BROKEN
        continue
      }
      const violation = this.#field(field, tag & 7, base, end, depth)
      if (violation !== null) return violation
    }
    this.counts.leave(base)
    return null
  }

  #field(field: FieldLimits, wireType: number, base: number, end: number, depth: number): FieldViolation | null {
    if (field.packable && wireType === BYTES) return this.#packed(field, base, end)
    if (wireType !== field.encoding) return refusal(field.name, BROKEN.description)
    if (this.counts.add(base + field.slot, 1) > field.max) return excessOf(field)
    if (field.kind !== 'single') this.values += 1
    if (field.encoding !== BYTES) return this.#skip(wireType, end) ? null : refusal(field.name, BROKEN.description)
    const length = this.#varint32(end)
    if (length === NONE || length > end - this.#at) return refusal(field.name, BROKEN.description)
    if (field.json === 'mask' && length > MAX_MASK_BYTES) return refusal(field.name, MASK_TOO_LONG)
    const inner = this.#at + length
    if (field.kind === 'map') return this.#entry(field, base, inner, depth)
    if (field.message !== null) {
      this.messages += 1
      if (field === this.early && depth === 0) {
        this.earlyFrom = this.#at
        this.earlyTo = inner
      }
      const violation = this.#message(field.message, inner, depth + 1)
      return violation === null ? null : inside(field.name, violation)
    }
    if (field.refusesNul && this.#mayHoldNul && this.#holdsNul(inner)) return nulIn(field.name)
    this.#textAt = this.#at
    this.#at = inner
    return null
  }

  /** Several values in one occurrence. One without any is no encoder's, and could come half a million times. */
  #packed(field: FieldLimits, base: number, end: number): FieldViolation | null {
    const length = this.#varint32(end)
    if (length === NONE || length === 0 || length > end - this.#at) return refusal(field.name, BROKEN.description)
    const inner = this.#at + length
    while (this.#at < inner) {
      if (this.counts.add(base + field.slot, 1) > field.max) return excessOf(field)
      this.values += 1
      if (!this.#skip(field.encoding, inner)) return refusal(field.name, BROKEN.description)
    }
    return null
  }

  #entry(field: FieldLimits, base: number, end: number, depth: number): FieldViolation | null {
    const { message: limits, name } = field
    if (limits === null || depth > MAX_DEPTH) return inside(name, TOO_DEEP)
    const entry = this.counts.enter(limits.slots)
    let key = ''
    while (this.#at < end) {
      const tag = this.#varint32(end)
      const part = tag === NONE ? undefined : limits.byNumber.get(tag >>> 3)
      if (part === undefined) return refusal(name, BROKEN.description)
      const violation = this.#field(part, tag & 7, entry, end, depth)
      if (violation !== null) return refusal(name, violation.description)
      if (part.isKey) key = this.#lastText()
    }
    this.counts.leave(entry)
    return this.counts.addKey(base + field.slot, key) ? null : repeatedKeyIn(name)
  }

  /** Each byte as a character: equal for equal texts, and never refused. */
  #lastText(): string {
    const { buffer, byteOffset } = this.#bytes
    return Buffer.from(buffer, byteOffset + this.#textAt, this.#at - this.#textAt).toString('latin1')
  }

  #holdsNul(end: number): boolean {
    for (let at = this.#at; at < end; at += 1) if (this.#bytes[at] === 0) return true
    return false
  }

  /** Past one value without a look at it; `false`: it does not end here, or is none. */
  #skip(wireType: number, end: number): boolean {
    switch (wireType as Encoding) {
      case VARINT:
        return this.#skipVarint(end)
      case FIXED64:
        this.#at += 8
        return this.#at <= end
      case FIXED32:
        this.#at += 4
        return this.#at <= end
      case BYTES: {
        const length = this.#varint32(end)
        if (length === NONE) return false
        this.#at += length
        return this.#at <= end
      }
      default:
        return false
    }
  }

  #skipVarint(end: number): boolean {
    const last = Math.min(end, this.#at + 10)
    while (this.#at < last) {
      const byte = this.#bytes[this.#at] ?? 0
      this.#at += 1
      if (byte < 0x80) return true
    }
    return false
  }

  /** A tag or a length. */
  #varint32(end: number): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= end) return NONE
      const byte = this.#bytes[this.#at] ?? 0
      this.#at += 1
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return shift === 28 && byte > 0x0f ? NONE : value >>> 0
    }
    return NONE
  }
}
