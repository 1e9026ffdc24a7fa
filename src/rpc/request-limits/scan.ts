import type { FieldViolation } from '../../errors/registry.ts'
import type { FieldLimits, MessageLimits } from './message-limits.ts'

/** The limit of nesting for recursive schemas. */
export const MAX_DEPTH = 32

/** No number or position. */
export const NONE = -1

/** One pass over an encoded request before it is decoded. Its fields hold the counts of the last accepted request. */
export abstract class Scan {
  /** The number of items in the request's own lists. */
  items = 0
  /** The number of list items and map entries, at any depth. */
  values = 0
  /** The number of nested messages, at any depth. */
  messages = 0
  /** The number of fields that the schema does not have. */
  unknown = 0
  /** The start of the field that is decoded early. */
  earlyFrom = 0
  /** The end of that field. -1: it was not sent. */
  earlyTo = NONE
  protected readonly root: MessageLimits
  /** The root's field that is decoded early. */
  protected readonly early: FieldLimits | null
  protected readonly counts = new SlotCounts()

  constructor(root: MessageLimits, early: FieldLimits | null = null) {
    this.root = root
    this.early = early
  }

  /** `null`: the request may be decoded. */
  abstract scan(bytes: Uint8Array): FieldViolation | null

  protected reset(): void {
    this.items = 0
    this.values = 0
    this.messages = 0
    this.unknown = 0
    this.earlyTo = NONE
    this.counts.clear()
  }
}

const INITIAL_SLOTS = 256

/** Counts the occurrences of fields. One array serves all open messages, as a stack. */
class SlotCounts {
  #counts = new Int32Array(INITIAL_SLOTS)
  #top = 0
  /** The keys of maps seen so far, by the map's slot. */
  #keys: Map<number, Set<string>> | null = null

  clear(): void {
    this.#top = 0
    this.#keys = null
  }

  /** Allocates the slots of a message and returns the first one. */
  enter(slots: number): number {
    const base = this.#top
    this.#top += slots
    if (this.#top > this.#counts.length) {
      const larger = new Int32Array(2 * this.#top)
      larger.set(this.#counts)
      this.#counts = larger
    }
    this.#counts.fill(0, base, this.#top)
    return base
  }

  leave(base: number): void {
    if (this.#keys !== null) for (let slot = base; slot < this.#top; slot += 1) this.#keys.delete(slot)
    this.#top = base
  }

  add(slot: number, count: number): number {
    const sum = this.of(slot) + count
    this.#counts[slot] = sum
    return sum
  }

  of(slot: number): number {
    return this.#counts[slot] ?? 0
  }

  /** Adds a key to the map in this slot. `false`: the map already has it. */
  addKey(slot: number, key: string): boolean {
    this.#keys ??= new Map()
    const keys = this.#keys.get(slot) ?? new Set()
    if (keys.has(key)) return false
    this.#keys.set(slot, keys.add(key))
    return true
  }
}

/** Why a request is rejected before it is decoded. Outer messages prepend to `field`. */
export function refusal(field: string, description: string): FieldViolation {
  return { field, description }
}

/** The same violation, prefixed with the name of the outer field. */
export function inside(name: string, { field, description }: FieldViolation): FieldViolation {
  return { field: field === '' ? name : `${name}.${field}`, description }
}

/** The violation of a field with too many values. */
export function excessOf({ name, kind, max, oneof }: FieldLimits): FieldViolation {
  if (kind !== 'single') return refusal(name, `must have at most ${max} items`)
  // RFC 6749 §3.1: parameters must not be included more than once.
  return refusal(
    name,
    oneof === null ? 'is set more than once' : `is set together with another ${oneof}, or more than once`,
  )
}

export function nulIn(name: string): FieldViolation {
  return refusal(name, 'contains the character U+0000')
}

export function repeatedKeyIn(name: string): FieldViolation {
  return refusal(name, 'contains the same key more than once')
}

export const TOO_DEEP = Object.freeze(refusal('', 'is nested too deeply'))

export const MASK_TOO_LONG = 'has paths that are too long, or too many of them'
