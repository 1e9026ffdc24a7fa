import type { FieldViolation } from '../../errors/registry.ts'
import type { FieldLimits, MessageLimits } from './message-limits.ts'

/** Messages within messages, of schemas that hold themselves. */
export const MAX_DEPTH = 32

/** There is no such number or place. */
export const NONE = -1

/**
 * One pass over an encoded request before it is decoded. Its fields say what was
 * counted in the last request that passed.
 */
export abstract class Scan {
  /** Of the lists of the request itself: how many things it asks for. */
  items = 0
  /** Items of lists and entries of maps, at any depth. */
  values = 0
  /** Messages inside of the request, at any depth. */
  messages = 0
  /** Fields that the schema does not know. */
  unknown = 0
  /** Where the field is that is decoded before the rest. */
  earlyFrom = 0
  /** Its end; -1: it was not sent. */
  earlyTo = NONE
  protected readonly root: MessageLimits
  /** The field of the root that is decoded before the rest. */
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

/** Counts the occurrences of fields, in one array for all the messages that are open at the time: a stack. */
class SlotCounts {
  #counts = new Int32Array(INITIAL_SLOTS)
  #top = 0
  /** The keys of maps that were met, by the map's place. */
  #keys: Map<number, Set<string>> | null = null

  clear(): void {
    this.#top = 0
    this.#keys = null
  }

  /** Makes room for a message; its places begin at the answer. */
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

  /** Whether the map in this place did not have the key before. */
  addKey(slot: number, key: string): boolean {
    this.#keys ??= new Map()
    const keys = this.#keys.get(slot) ?? new Set()
    if (keys.has(key)) return false
    this.#keys.set(slot, keys.add(key))
    return true
  }
}

/** Why a request is refused before it is decoded; `field` is completed on the way out, from the inside. */
export function refusal(field: string, description: string): FieldViolation {
  return { field, description }
}

/** The same, one message further out. */
export function inside(name: string, { field, description }: FieldViolation): FieldViolation {
  return { field: field === '' ? name : `${name}.${field}`, description }
}

/** What is said of a field that holds more than it may. */
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
