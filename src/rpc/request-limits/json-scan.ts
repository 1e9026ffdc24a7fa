import { holdsSecret } from '../../domain/secret-text.ts'
import type { FieldViolation } from '../../errors/registry.ts'
import { type FieldLimits, MAX_MASK_BYTES, type MessageLimits } from './message-limits.ts'
import { excessOf, inside, MASK_TOO_LONG, MAX_DEPTH, nulIn, refusal, repeatedKeyIn, Scan, TOO_DEEP } from './scan.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** The longest number, name of an enum value, time or duration, as it is written: escapes take six bytes a character. */
const MAX_SHORT_BYTES = 512
/** The longest name of a field, likewise. */
const MAX_NAME_BYTES = 512
const SHOWN_NAME = /^[A-Za-z0-9_]{1,64}$/

const NULL = 'null'
/** Seconds with up to nine digits behind the point. */
const DURATION = /^-?[0-9]{1,12}(?:\.[0-9]{1,9})?s$/
const MAX_DURATION_BYTES = 24

const NOTHING = Buffer.alloc(0)
const BROKEN = Object.freeze(refusal('', 'must be a valid JSON object'))
const broken = ({ name, jsonExpectation }: FieldLimits) => refusal(name, jsonExpectation)

/**
 * The same as the scan of the binary encoding for a request in JSON, before `JSON.parse`: one pass over the bytes, along the
 * schema. A member that comes twice, by whichever of its two names and however it is escaped, is refused (RFC 6749 §3.1), as
 * is one that the schema does not know: a misspelt `scopes` would otherwise count as absent, and ask for all there are.
 */
export class JsonScan extends Scan {
  #bytes: Buffer = NOTHING
  #at = 0
  /** Of the last string: where it begins and ends within its quotes, and what is in it. */
  #from = 0
  #to = 0
  #escapes = false
  #nul = false

  /** What passes may be parsed, unless it is no UTF-8. */
  scan(bytes: Uint8Array): FieldViolation | null {
    this.reset()
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    // RFC 8259 §8.1: a byte order mark may be ignored, and is when the text is decoded.
    this.#at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
    this.#space()
    let violation = this.#message(this.root, 0)
    if (violation === null) {
      this.#space()
      if (this.#at < bytes.length) violation = BROKEN
    }
    this.#bytes = NOTHING
    return violation
  }

  #message(limits: MessageLimits, depth: number): FieldViolation | null {
    if (depth > MAX_DEPTH) return TOO_DEEP
    if (!this.#take(OPEN_OBJECT)) return BROKEN
    const base = this.counts.enter(limits.slots)
    this.#space()
    if (!this.#take(CLOSE_OBJECT)) {
      do {
        this.#space()
        if (!this.#string()) return BROKEN
        const name = this.#name()
        const field = name === null ? undefined : limits.byName.get(name)
        // A secret in the wrong place is still a secret.
        if (field === undefined) return refusal(shownName(name), 'is not a field of the request')
        if (!this.#colon()) return broken(field)
        if (this.counts.add(base + field.jsonSlot, 1) > 1) return refusal(field.name, 'is set more than once')
        const violation = this.#field(field, depth)
        if (violation !== null) return violation
        this.#space()
      } while (this.#take(COMMA))
      if (!this.#take(CLOSE_OBJECT)) return BROKEN
    }
    this.counts.leave(base)
    return null
  }

  #field(field: FieldLimits, depth: number): FieldViolation | null {
    const first = this.#bytes[this.#at]
    switch (field.kind) {
      case 'list':
        return first === OPEN_LIST ? this.#list(field, depth) : this.#word(field, true)
      case 'map':
        return first === OPEN_OBJECT ? this.#map(field, depth) : this.#word(field, true)
      case 'single':
        return this.#value(field, depth)
      default:
        return field.kind satisfies never
    }
  }

  #list(field: FieldLimits, depth: number): FieldViolation | null {
    this.#at += 1
    this.#space()
    if (this.#take(CLOSE_LIST)) return null
    let count = 0
    do {
      count += 1
      if (count > field.max) return excessOf(field)
      this.#space()
      const violation = this.#value(field, depth)
      if (violation !== null) return violation
      this.#space()
    } while (this.#take(COMMA))
    if (!this.#take(CLOSE_LIST)) return broken(field)
    this.values += count
    if (depth === 0) this.items += count
    return null
  }

  #map(field: FieldLimits, depth: number): FieldViolation | null {
    const [, value] = field.message?.fields ?? []
    if (value === undefined) return broken(field)
    this.#at += 1
    this.#space()
    if (this.#take(CLOSE_OBJECT)) return null
    // A place of its own for the keys, so that a map in a value has another.
    const place = this.counts.enter(1)
    let count = 0
    do {
      count += 1
      if (count > field.max) return excessOf(field)
      this.#space()
      if (!this.#string()) return broken(field)
      const key = this.#decoded()
      if (key === null) return broken(field)
      if (this.#nul || key.includes('\0')) return nulIn(field.name)
      if (!this.counts.addKey(place, key)) return repeatedKeyIn(field.name)
      if (!this.#colon()) return broken(field)
      const violation = this.#value(value, depth)
      if (violation !== null) return refusal(field.name, violation.description)
      this.#space()
    } while (this.#take(COMMA))
    if (!this.#take(CLOSE_OBJECT)) return broken(field)
    this.counts.leave(place)
    this.values += count
    return null
  }

  /** One value, of a field, in a list or in a map. */
  #value(field: FieldLimits, depth: number): FieldViolation | null {
    const first = this.#bytes[this.#at]
    if (first === OPEN_OBJECT && field.json === 'message' && field.message !== null) {
      this.messages += 1
      const from = this.#at
      const violation = this.#message(field.message, depth + 1)
      if (violation !== null) return inside(field.name, violation)
      if (field === this.early && depth === 0) {
        this.earlyFrom = from
        this.earlyTo = this.#at
      }
      return null
    }
    if (first !== QUOTE) return this.#word(field, field.message !== null)
    if (field.json === 'any' || field.json === 'message' || !this.#string()) return broken(field)
    const length = this.#to - this.#from
    if (field.json === 'short' && length > MAX_SHORT_BYTES) return broken(field)
    if (field.json === 'duration' && !this.#isDuration()) return broken(field)
    if (field.json === 'mask') return this.#mask(field)
    if (field.message !== null) this.messages += 1
    return field.refusesNul && this.#nul ? nulIn(field.name) : null
  }

  /** Its commas must be told apart from what is in the paths, so they come as they are. */
  #mask(field: FieldLimits): FieldViolation | null {
    if (this.#escapes) return broken(field)
    let count = this.#to === this.#from ? 0 : 1
    for (let at = this.#from; at < this.#to; at += 1) if (this.#bytes[at] === COMMA) count += 1
    const [paths] = field.message?.fields ?? []
    if (paths !== undefined && count > paths.max) return inside(field.name, excessOf(paths))
    if (this.#to - this.#from > MAX_MASK_BYTES) return refusal(field.name, MASK_TOO_LONG)
    this.messages += 1
    this.values += count
    return null
  }

  /** Or nothing at all, which some calls take for an omitted field. */
  #isDuration(): boolean {
    const length = this.#to - this.#from
    return (
      length === 0 ||
      (length <= MAX_DURATION_BYTES && DURATION.test(this.#bytes.toString('latin1', this.#from, this.#to)))
    )
  }

  /** A number, `true`, `false` or `null`; that it is a right one is for the parser to say. */
  #word(field: FieldLimits, onlyNull: boolean): FieldViolation | null {
    const from = this.#at
    while (isOfWord(this.#bytes[this.#at])) this.#at += 1
    const length = this.#at - from
    if (length === 0 || length > MAX_SHORT_BYTES) return broken(field)
    const isNull = length === NULL.length && this.#bytes.toString('latin1', from, this.#at) === NULL
    if (onlyNull && !isNull) return broken(field)
    return null
  }

  #take(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at += 1
    return true
  }

  #colon(): boolean {
    this.#space()
    if (!this.#take(COLON)) return false
    this.#space()
    return true
  }

  #space(): void {
    const bytes = this.#bytes
    let at = this.#at
    for (;;) {
      const byte = bytes[at]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
      at += 1
    }
    this.#at = at
  }

  /** A string with its quotes; `false`: it does not begin or does not end here. */
  #string(): boolean {
    if (!this.#take(QUOTE)) return false
    const bytes = this.#bytes
    const end = bytes.length
    let at = this.#at
    this.#from = at
    this.#escapes = false
    this.#nul = false
    for (; at < end; at += 1) {
      const byte = bytes[at]
      if (byte === QUOTE) {
        this.#to = at
        this.#at = at + 1
        return true
      }
      if (byte === BACKSLASH) {
        this.#escapes = true
        at += 1
        if (bytes[at] === 0x75 && isZeros(bytes, at + 1)) this.#nul = true
      } else if (byte === 0) this.#nul = true
    }
    return false
  }

  /** The last string as the name of a field; `null`: it can be none. */
  #name(): string | null {
    return this.#to - this.#from > MAX_NAME_BYTES ? null : this.#decoded()
  }

  /** `null`: it is no text. */
  #decoded(): string | null {
    const text = this.#bytes.toString('utf8', this.#from, this.#to)
    if (!this.#escapes) return text
    try {
      return String(JSON.parse(`"${text}"`))
    } catch {
      return null
    }
  }
}

/** The name of a member for an answer: one that may be a secret in the wrong place is not repeated. */
export function shownName(name: string | null): string {
  return name !== null && SHOWN_NAME.test(name) && !holdsSecret(name) ? name : '…'
}

function isOfWord(byte: number | undefined): boolean {
  if (byte === undefined) return false
  // Digits, letters, and the signs of numbers.
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e
  )
}

function isZeros(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0x30 && bytes[at + 1] === 0x30 && bytes[at + 2] === 0x30 && bytes[at + 3] === 0x30
}
