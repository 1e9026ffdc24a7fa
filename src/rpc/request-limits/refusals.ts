import type { FieldViolation } from '../../errors/registry.ts'
import type { FieldLimits } from './message-limits.ts'

/** Why a request is refused before it is decoded; `field` is completed on the way out, from the inside. */
export function refusal(field: string, description: string): FieldViolation {
  return { field, description }
}

/** The same, one message further out. */
export function inside(name: string, { field, description }: FieldViolation): FieldViolation {
  return { field: field === '' ? name : `${name}.${field}`, description }
}

/** What is said of a field that holds more than it may. */
export function excessOf({ name, kind, most, oneof }: FieldLimits): FieldViolation {
  if (kind !== 'single') return refusal(name, `must have at most ${most} items`)
  // RFC 6749 §3.1: parameters must not be included more than once.
  return refusal(name, oneof === null ? 'is set more than once' : `is set beside another ${oneof}, or more than once`)
}

export function nulIn(name: string): FieldViolation {
  return refusal(name, 'holds the character U+0000')
}

export function repeatedKeyIn(name: string): FieldViolation {
  return refusal(name, 'has one key more than once')
}

export const TOO_DEEP = Object.freeze(refusal('', 'is nested too deeply'))

export const MASK_TOO_LONG = 'has paths that are too long, or too many of them'
